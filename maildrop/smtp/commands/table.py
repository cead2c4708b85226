"""Which verbs a service has, and what does them.

In this file:
    Command     a function that does a command: at once, or in the coroutine returned
    COMMANDS    the verbs of each service

RFC 2033 section 4.1: LMTP has LHLO in the place of EHLO and HELO.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from maildrop.smtp.commands.auth import auth
from maildrop.smtp.commands.bdat import bdat
from maildrop.smtp.commands.data import data
from maildrop.smtp.commands.ehlo import ehlo, helo
from maildrop.smtp.commands.etrn import etrn
from maildrop.smtp.commands.expn import expn
from maildrop.smtp.commands.help import help as help_
from maildrop.smtp.commands.mail import mail
from maildrop.smtp.commands.noop import noop
from maildrop.smtp.commands.quit import quit as quit_
from maildrop.smtp.commands.rcpt import rcpt
from maildrop.smtp.commands.rset import rset
from maildrop.smtp.commands.starttls import starttls
from maildrop.smtp.commands.vrfy import vrfy
from maildrop.smtp.service import Service
from maildrop.smtp.session import Session

Command = Callable[[Session, bytes], Coroutine[Any, Any, None] | None]

_EVERYWHERE: Final[dict[bytes, Command]] = {
    b"MAIL": mail,
    b"RCPT": rcpt,
    b"DATA": data,
    b"BDAT": bdat,
    b"RSET": rset,
    b"NOOP": noop,
    b"QUIT": quit_,
    b"HELP": help_,
    b"VRFY": vrfy,
    b"EXPN": expn,
    b"STARTTLS": starttls,
}

COMMANDS: Final[dict[Service, dict[bytes, Command]]] = {
    Service.SMTP: {**_EVERYWHERE, b"EHLO": ehlo, b"HELO": helo, b"ETRN": etrn},
    Service.SUBMISSION: {**_EVERYWHERE, b"EHLO": ehlo, b"HELO": helo, b"AUTH": auth},
    Service.LMTP: {**_EVERYWHERE, b"LHLO": ehlo},
}
