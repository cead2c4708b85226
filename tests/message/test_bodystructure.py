"""BODY and BODYSTRUCTURE: RFC 3501 section 7.4.2."""

import mmap

import pytest

from maildrop.message.fragments import fragment
from maildrop.message.limits import Limits

TEXT = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
NO_ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def message(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


CASES = [
    (b"", TEXT + b" 0 0", b"NIL NIL NIL NIL"),
    (b"\na\nb\nc", TEXT + b" 7 2", b"NIL NIL NIL NIL"),
    # RFC 2045 section 5.2: what cannot be read is text/plain.
    (b"Content-Type: nonsense\n\nx", TEXT + b" 1 0", b"NIL NIL NIL NIL"),
    # RFC 2045 section 4: no MIME without MIME-Version.
    (b"Content-ID: <x>\n\nx", TEXT + b" 1 0", b"NIL NIL NIL NIL"),
    (
        b"Content-Type: Text/HTML; CharSet=UTF-8\nContent-Transfer-Encoding: 8BIT\n\nx",
        b'"Text" "HTML" ("CharSet" "UTF-8") NIL NIL "8BIT" 1 0',
        b"NIL NIL NIL NIL",
    ),
    (
        b"Content-Type: text/plain; format=flowed\n\n",
        b'"text" "plain" ("format" "flowed" "charset" "us-ascii") NIL NIL "7bit" 0 0',
        b"NIL NIL NIL NIL",
    ),
    # RFC 2231 section 4: the charset is there, encoded.
    (
        b"Content-Type: text/plain; charset*=us-ascii''utf-8\n\n",
        b'"text" "plain" ("charset*" "us-ascii\'\'utf-8") NIL NIL "7bit" 0 0',
        b"NIL NIL NIL NIL",
    ),
    (
        b'Content-Type: image/png; name="a b.png"\nContent-Transfer-Encoding: base64\n'
        b"Content-ID: <i@x>\nContent-Description: a picture\nContent-MD5: Q2hlY2s=\n"
        b"Content-Disposition: attachment; filename=x.png; size=4\n"
        b"Content-Language: en, de\nContent-Location: http://x/\n y\n\nQUJD",
        b'"image" "png" ("name" "a b.png") "<i@x>" "a picture" "base64" 4',
        b'"Q2hlY2s=" ("attachment" ("filename" "x.png" "size" "4")) ("en" "de") '
        b'"http://x/ y"',
    ),
    (
        b"Content-Type: application/x\nContent-Disposition: inline\n\n",
        b'"application" "x" NIL NIL NIL "7bit" 0',
        b'NIL ("inline" NIL) NIL NIL',
    ),
    (
        b"Content-Type: message/rfc822\n\nSubject: s\n\nline\n",
        b'"message" "rfc822" NIL NIL NIL "7bit" 20 '
        b'(NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) (' + TEXT + b" 6 1%b) 3",
        b"NIL NIL NIL NIL",
    ),
    (
        b"Content-Type: message/delivery-status\n\nx\n",
        b'"message" "delivery-status" NIL NIL NIL "7bit" 3',
        b"NIL NIL NIL NIL",
    ),
    (
        b'Content-Type: application/x; a="\xc3\xbc"; b="\\"\\\\"\n\n',
        b'"application" "x" ("a" {2}\r\n\xc3\xbc "b" "\\"\\\\") NIL NIL "7bit" 0',
        b"NIL NIL NIL NIL",
    ),
]


@pytest.mark.parametrize(("text", "basic", "extension"), CASES)
def test_a_single_part(text: bytes, basic: bytes, extension: bytes) -> None:
    octets = message(text)
    body, extended = basic, basic
    if b"%b" in basic:
        body, extended = basic % b"", basic % b" NIL NIL NIL NIL"
    assert fragment(octets, b"BODY") == b"(" + body + b")"
    written = fragment(octets, b"BODYSTRUCTURE")
    assert written == b"(" + extended + b" " + extension + b")"


def test_a_multipart() -> None:
    octets = message(
        b'Content-Type: multipart/mixed; boundary="b"\n'
        b"Content-Disposition: inline\nContent-Language: fr\nContent-Location: here\n\n"
        b"--b\n\none\ntwo\n--b\nContent-Type: image/gif\n\nGIF\n--b--\n"
    )
    image = b'"image" "gif" NIL NIL NIL "7bit" 3'
    assert fragment(octets, b"BODY") == (
        b"((" + TEXT + b" 8 1)(" + image + b') "mixed")'
    )
    assert fragment(octets, b"BODYSTRUCTURE") == (
        b"((" + TEXT + b" 8 1 NIL NIL NIL NIL)(" + image + b" NIL NIL NIL NIL) "
        b'"mixed" ("boundary" "b") ("inline" NIL) ("fr") "here")'
    )


def test_a_multipart_without_parts_shows_an_empty_text() -> None:
    """RFC 3501 section 9: body-type-mpart has one body at least."""
    octets = b"Content-Type: multipart/mixed\r\n\r\nx"
    assert fragment(octets, b"BODY") == b"((" + TEXT + b' 0 0) "mixed")'


def test_a_digest_holds_messages() -> None:
    """RFC 2046 section 5.1.5."""
    octets = message(
        b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n"
    )
    assert fragment(octets, b"BODY") == (
        b'(("message" "rfc822" NIL NIL NIL "7bit" 15 '
        b'(NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) (' + TEXT + b' 1 0) 2) "digest")'
    )


def test_an_empty_message_in_a_message() -> None:
    octets = b"Content-Type: message/rfc822\r\n\r\n"
    assert fragment(octets, b"BODY") == (
        b'("message" "rfc822" NIL NIL NIL "7bit" 0 '
        + NO_ENVELOPE
        + b" ("
        + TEXT
        + b" 0 0) 0)"
    )


@pytest.mark.parametrize(
    "header",
    [b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: message/rfc822"],
)
def test_what_is_too_deep_is_opaque(header: bytes) -> None:
    octets = header + b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    shown = fragment(octets, b"BODY", Limits(depth=1))
    assert shown.startswith(b'("application" "octet-stream" ')
    assert shown.endswith(b' NIL NIL "7bit" 17)')


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (b"Content-Disposition: a\nContent-Disposition: b; c=d\n", b'("b" ("c" "d"))'),
        (b"Content-Disposition: a; c=d\nContent-Disposition: b\n", b'("a" ("c" "d"))'),
        (b"Content-Disposition: a\nContent-Disposition: b\n", b'("b" NIL)'),
        (b"Content-Disposition: a (\n", b"NIL"),
    ],
)
def test_of_several_dispositions_the_one_with_parameters(
    fields: bytes, shown: bytes
) -> None:
    octets = message(b"Content-Type: a/b\n" + fields + b"\n")
    assert fragment(octets, b"BODYSTRUCTURE") == (
        b'("a" "b" NIL NIL NIL "7bit" 0 NIL ' + shown + b" NIL NIL)"
    )


def test_lines_of_a_mapped_file_are_counted() -> None:
    octets = b"\r\n" + b"line\r\n" * 300_000
    with mmap.mmap(-1, len(octets)) as mapped:
        mapped.write(octets)
        assert fragment(mapped, b"BODY") == fragment(octets, b"BODY")
    assert fragment(octets, b"BODY") == b"(" + TEXT + b" 1800000 300000)"
