"""The wire format of POP3, without I/O.

In this package:
    reader       octets of the client to events
    commands     the grammar of each command
    replies      status lines
    multiline    multi-line replies and the dots in them
"""
