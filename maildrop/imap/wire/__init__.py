"""IMAP octets to commands and back (RFC 3501), no I/O.

In this package:
    reader          octets in, events out: lines, literals, continuations
    events          what the reader tells besides commands
    commands        the table of commands, and the union of their classes
    arguments       the cursor that every command's grammar reads with
    limits          what a client may send
    mailbox_name    mailbox names, modified UTF-7
    dates           date and date-time, both ways
    responses       status lines and the shapes values are written in
    syntax          strings, lists and flags as they are written

Each other module is one command, named as the command: its dataclass, its ``parse``,
and the untagged response that belongs to it.
"""
