"""What a mailbox is: accounts, names, flags, columns, views, and the interfaces.

Nothing here knows of files or of protocols.  ``storage`` implements ``interfaces``;
sessions and delivery use ``bridge``, which owns the threads.
"""
