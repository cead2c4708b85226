"""LANG: RFC 6856 section 3."""

from typing import Final

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END
from maildrop.pop3.wire.replies import err, ok

#: Languages of replies; i-default is the same English (RFC 2277 section 4.5).
LANGUAGES: Final = {b"en": b"English", b"i-default": b"English"}


def lang(session: Session, command: Command) -> None:
    """List the languages, or choose one."""
    if not command.text:
        lines = [b"%b %b\r\n" % pair for pair in LANGUAGES.items()]
        session.write(ok(b"Languages follow") + b"".join(lines) + END)
        return
    asked = command.text.lower()
    # RFC 4647 section 3.3.1: a range matches a tag that it is a prefix of; what is
    # asked more exactly than it is spoken ("en-GB") gets what there is.
    found = b"en" if asked == b"*" or asked.startswith(b"en-") else asked
    if found in LANGUAGES:
        session.write(ok(b"%b Language is %b" % (found, LANGUAGES[found])))
    else:
        session.write(err(b"Language not spoken"))
