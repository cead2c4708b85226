"""SMTP, submission and LMTP receivers on Twisted transports."""
