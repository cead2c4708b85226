"""What the server can do, as CAPABILITY says it.

In this file:
    capabilities    the names for where a session stands

Before login they depend on whether passwords may be sent (RFC 3501 section 6.2.3,
LOGINDISABLED) and on whether TLS can be begun; after it on nothing.
"""

from typing import Final

from maildrop.imap.session import Session, State

_ALWAYS: Final = (b"IMAP4rev1", b"LITERAL+", b"ID", b"ENABLE", b"IDLE")
#: After login: RFC 2342, 4315, 3691, 3348, 6851, 6154, 5258.
_WITH_MAIL: Final = (
    *_ALWAYS,
    b"NAMESPACE",
    b"UIDPLUS",
    b"UNSELECT",
    b"CHILDREN",
    b"MOVE",
    b"SPECIAL-USE",
    b"CREATE-SPECIAL-USE",
    b"LIST-EXTENDED",
)


def capabilities(session: Session) -> tuple[bytes, ...]:
    """The capabilities of a session, as it stands now."""
    if session.state is not State.NOT_AUTHENTICATED:
        return _WITH_MAIL
    peer = session.link.peer
    authenticator = session.site.authenticator
    names = [*_ALWAYS, b"SASL-IR"]
    if session.site.tls is not None and peer.encryption is None:
        names.append(b"STARTTLS")
    if not authenticator.allows_cleartext(peer.secure):
        names.append(b"LOGINDISABLED")
    mechanisms = authenticator.mechanisms(peer.secure)
    names += [b"AUTH=" + name.encode("ascii") for name in mechanisms]
    return tuple(names)
