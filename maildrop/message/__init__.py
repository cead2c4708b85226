"""Messages as octets: headers, ENVELOPE, BODYSTRUCTURE, sections; no I/O."""
