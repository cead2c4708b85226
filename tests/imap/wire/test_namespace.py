"""NAMESPACE: RFC 2342 section 5."""

from maildrop.imap.wire import namespace


def test_one_namespace_of_the_user() -> None:
    assert namespace.response([("", "/")]) == b'* NAMESPACE (("" "/")) NIL NIL\r\n'


def test_several_namespaces() -> None:
    line = namespace.response(
        [("", "/"), ("#mh/", None)], [("~", "/")], [("Öffentlich.", ".")]
    )
    assert line == (
        b'* NAMESPACE (("" "/")("#mh/" NIL)) (("~" "/")) (("&ANY-ffentlich." "."))\r\n'
    )
