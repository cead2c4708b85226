"""SASL mechanisms, the server's side, as exchanges of octets (RFC 4422).

In this package:
    mechanisms    begins an exchange by its mechanism's name; the table of all of them
    dialogue      an exchange in the base64 lines of IMAP, POP3 and SMTP
    exchange      what an exchange is, and what it can end in
    plain         PLAIN (RFC 4616)
    login         LOGIN, never a standard, still sent by old clients
    scram         SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677)
    saslprep      names and passwords in one spelling (RFC 4013)
    encoding      base64, strict

Nothing here knows who the users are: an exchange ends in what the client claims or has
proven, and ``maildrop.auth`` decides.
"""
