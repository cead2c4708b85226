"""maildrop: receives, keeps and serves mail on a Unix host.

The layers, from the top; imports go only downwards (``docs/design.md``):

     9  app, admin                     wiring, configuration; the ``maildrop`` command
     8  imap, pop3, smtp, control      sessions on Twisted transports
        sendmail                       what programs of this host call
     7  delivery                       routing and the delivery agent
     5  auth, storage                  passwords; Maildir, mbox and memory stores
     4  mailbox                        what a mailbox is
     3  imap.wire, pop3.wire, smtp.wire     octets to commands and back, no I/O
     2  message, sasl                  RFC 5322 and MIME scanner; mechanisms
     1  text                           charsets and case folding
     0  errors, durable, metrics, tls, net
"""

from importlib import import_module


def __getattr__(name: str) -> str:
    """``__version__``: looked up when wanted, for that takes time."""
    if name == "__version__":
        return str(import_module("importlib.metadata").version("maildrop"))
    raise AttributeError(name)
