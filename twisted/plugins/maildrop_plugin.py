"""Makes ``twistd maildrop`` known; all else is in ``maildrop.app.twistd``."""

from twisted.application.service import ServiceMaker

maildrop = ServiceMaker(
    "maildrop",
    "maildrop.app.twistd",
    "Mail server: POP3, IMAP, SMTP, submission and LMTP.",
    "maildrop",
)
