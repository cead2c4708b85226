"""SMTP octets to commands and back (RFC 5321), no I/O."""
