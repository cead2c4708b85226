"""What programs call as ``sendmail``: a message in, a file in the drop directory out.

Cron and scripts start it all the time, so nothing here imports Twisted, the schema of
the configuration, the command line's library, or ``dataclasses``, which alone takes as
long as all the rest: values are named tuples, or classes written out.
"""
