"""IMAP octets to commands and back (RFC 3501), no I/O."""
