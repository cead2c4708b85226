"""SASL mechanisms, the server side, without I/O (RFC 4422)."""
