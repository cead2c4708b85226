"""POP3: sessions on Twisted transports."""
