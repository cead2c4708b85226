"""What programs call as ``sendmail``: a message in, a file in the drop directory out.

Cron and scripts start it all the time, so nothing here imports Twisted, the schema of
the configuration or the command line's library.
"""
