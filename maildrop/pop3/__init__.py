"""POP3 (RFC 1939) on Twisted transports.

In this package:
    wire           octets to commands, replies to octets; no I/O
    server         a connection, and the factory of connections
    session        the state of one session
    snapshot       the maildrop as one session sees it
    login_delay    how often a user may log in
    commands       what each command does, a file each, and the table of them
    respond        errors to replies
"""
