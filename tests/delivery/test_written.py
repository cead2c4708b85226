"""A message as programs and files get it."""

from hypothesis import given, strategies as st

from maildrop.delivery import written as module
from maildrop.delivery.written import written


def whole(
    octets: bytes, sender: str = "a@b.example", *, from_line: bool = True
) -> bytes:
    pieces = written(octets, sender, "c@d.example", 0.0, from_line=from_line)
    return b"".join(pieces)


def test_the_envelope_stands_before_it() -> None:
    assert whole(b"X: y\r\n\r\nz\r\n") == (
        b"From a@b.example Thu Jan  1 00:00:00 1970\n"
        b"Return-Path: <a@b.example>\nDelivered-To: c@d.example\nX: y\n\nz\n"
    )


def test_a_delivered_to_of_ours_is_not_put_there_twice() -> None:
    octets = b"Delivered-To: c@d.example\r\nX: y\r\n"
    assert whole(octets, from_line=False) == (
        b"Return-Path: <a@b.example>\nDelivered-To: c@d.example\nX: y\n"
    )


def test_the_null_sender() -> None:
    assert whole(b"", "").splitlines()[:2] == [
        b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970",
        b"Return-Path: <>",
    ]


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"b" * 7])))
def test_line_ends_are_lf_wherever_pieces_end(parts: list[bytes]) -> None:
    octets = b"".join(parts)
    before = module._PIECE
    try:
        module._PIECE = 3  # type: ignore[misc]
        found = whole(octets, from_line=False)
    finally:
        module._PIECE = before  # type: ignore[misc]
    assert found.endswith(octets.replace(b"\r\n", b"\n"))
