"""IMAP: sessions on Twisted transports."""
