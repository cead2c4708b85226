"""SMTP and LMTP as a client: the way out of the queue."""
