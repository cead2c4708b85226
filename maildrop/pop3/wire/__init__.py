"""POP3 octets to commands and back (RFC 1939), no I/O."""
