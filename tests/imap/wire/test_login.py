"""LOGIN: RFC 3501 section 6.2.3."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import login
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.login import Login
from maildrop.imap.wire.syntax import astring


def read(octets: bytes) -> Login:
    return login.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b" joe secret", Login(b"a", "joe", "secret")),
        (b' "joe" "se\\"cret"', Login(b"a", "joe", 'se"cret')),
        (b" joe@example.org {5}\r\nse\r\nt", Login(b"a", "joe@example.org", "se\r\nt")),
        (' joe "geheim ü"'.encode(), Login(b"a", "joe", "geheim ü")),
        (b' joe ""', Login(b"a", "joe", "")),
    ],
)
def test_name_and_password_are_read(octets: bytes, expected: Login) -> None:
    assert read(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [b"", b" joe", b" joe ", b" joe a b", b' joe "a', b" joe \xff", b" \xfc x"],
)
def test_what_is_no_login_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        read(octets)
    assert "joe" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(read(b" joe secret"))


words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(words, words)
def test_what_is_written_reads_back(name: str, password: str) -> None:
    octets = b" %b %b" % (astring(name.encode()), astring(password.encode()))
    assert read(octets) == Login(b"a", name, password)
