"""USER: RFC 1939 section 7."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import Code, err, ok


def user(session: Session, command: Command) -> None:
    """Keep the name for PASS; the answer does not tell whether it exists."""
    if not session.services.judge.allows_cleartext(session.secure):
        # Not [AUTH]: another password would not help (RFC 3206 section 4).
        session.write(err(b"No passwords before STLS", Code.SYS_PERM))
        return
    session.user = command.text
    session.write(ok(b"Password?"))
