"""Reports to senders, as a mail program reads them."""

import email
import email.policy
from email.message import EmailMessage, Message
from typing import Any

import pytest
from hypothesis import given, strategies as st

from maildrop.delivery.bounce import Action, Report, action_of, compose, is_wanted
from maildrop.queue.entry import Entry, Kind, Options, Status, Waiting

MESSAGE = b"From: a@example.org\r\nMessage-ID: <1@a>\r\n\r\nthe body\r\n"
LATER = Status("4.4.1", "connection refused")
FULL = Status("5.2.2", "mailbox full", "mx.example.net")


def recipient(
    kind: Kind = Kind.FAILED,
    status: Status | None = FULL,
    *,
    address: str = "b@far.example",
    original: str = "",
    notify: tuple[str, ...] = (),
    number: int = 0,
) -> Waiting:
    waiting = Waiting(number, address, "smtp", "far.example", original, notify)
    waiting.kind, waiting.status, waiting.tries = kind, status, 1
    return waiting


def report(
    *recipients: Waiting,
    message: bytes = MESSAGE,
    to: str = "a@example.org",
    whole: int = 50_000,
    double: bool = False,
    **options: Any,  # noqa: ANN401 - of Options
) -> bytes:
    told = list(recipients) or [recipient()]
    entry = Entry("ID1", to, 1000.0, len(message), told, Options(**options))
    made = Report(
        entry, told, to, "mx.org", 2000.0, until=9000.0, whole=whole, double=double
    )
    return compose(made, message)


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def parts(octets: bytes) -> list[Message]:
    found = children(parsed(octets))
    assert len(found) == 3
    return found


def children(message: Message) -> list[Message]:
    found = message.get_payload()
    assert isinstance(found, list)
    return [part for part in found if isinstance(part, Message)]


def fields(octets: bytes) -> list[dict[str, str]]:
    """The fields of the message, and of each recipient."""
    blocks = children(parts(octets)[1])
    return [{k: str(v) for k, v in block.items()} for block in blocks]


def test_a_report_is_a_multipart_report_of_three_parts() -> None:
    """RFC 6522 section 3."""
    octets = report()
    message = parsed(octets)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in parts(octets)] == [
        "text/plain",
        "message/delivery-status",
        "message/rfc822",
    ]


def test_the_header_says_that_no_person_wrote_it() -> None:
    """RFC 3834 section 5, RFC 5322 section 3.6.4."""
    message = parsed(report())
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "a@example.org"
    assert message["In-Reply-To"] == "<1@a>"
    assert message["Message-ID"] == "<ID1.0.failed@mx.org>"


def test_the_fields_are_those_of_rfc_3464() -> None:
    about, told = fields(
        report(recipient(original="rfc822;c@list.example"), envelope_id="QQ 17")
    )
    assert about == {
        "Reporting-MTA": "dns; mx.org",
        "Original-Envelope-Id": "QQ 17",
        "Arrival-Date": "Thu, 1 Jan 1970 00:16:40 +0000",
    }
    assert told == {
        "Original-Recipient": "rfc822; c@list.example",
        "Final-Recipient": "rfc822; b@far.example",
        "Action": "failed",
        "Status": "5.2.2",
        "Remote-MTA": "dns; mx.example.net",
        "Diagnostic-Code": "smtp; mailbox full",
        "Last-Attempt-Date": "Thu, 1 Jan 1970 00:33:20 +0000",
        "Final-Log-ID": "ID1",
    }


def test_a_delay_says_until_when_it_is_tried() -> None:
    """RFC 3464 section 2.3.9."""
    octets = report(recipient(Kind.WAITING, LATER))
    _, told = fields(octets)
    assert told["Action"] == "delayed"
    assert told["Will-Retry-Until"] == "Thu, 1 Jan 1970 02:30:00 +0000"
    assert b"you need not send it again" in octets


@pytest.mark.parametrize(
    ("kind", "status", "action", "code"),
    [
        (Kind.FAILED, FULL, "failed", "5.2.2"),
        (Kind.FAILED, LATER, "failed", "4.4.1"),
        (Kind.FAILED, None, "failed", "5.0.0"),
        (Kind.FAILED, Status("2.0.0", "?"), "failed", "5.0.0"),
        (Kind.WAITING, LATER, "delayed", "4.4.1"),
        (Kind.WAITING, FULL, "delayed", "4.2.2"),
        (Kind.WAITING, None, "delayed", "4.0.0"),
        (Kind.DELIVERED, Status("2.1.5", "ok"), "delivered", "2.1.5"),
        (Kind.RELAYED, Status("2.0.0", "ok"), "relayed", "2.0.0"),
        (Kind.EXPANDED, Status("nonsense", ""), "expanded", "2.0.0"),
    ],
)
def test_the_status_is_of_the_class_that_fits_the_action(
    kind: Kind, status: Status | None, action: str, code: str
) -> None:
    """RFC 3464 section 2.3.4."""
    _, told = fields(report(recipient(kind, status)))
    assert (told["Action"], told["Status"]) == (action, code)


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [
        ((), {Action.FAILED, Action.DELAYED}),
        (("NEVER",), set()),
        (("FAILURE",), {Action.FAILED}),
        (("DELAY",), {Action.DELAYED}),
        (("SUCCESS",), {Action.DELIVERED, Action.RELAYED, Action.EXPANDED}),
        (("SUCCESS", "FAILURE", "DELAY"), set(Action)),
    ],
)
def test_notify_says_what_the_sender_hears_of(
    notify: tuple[str, ...], wanted: set[Action]
) -> None:
    """RFC 3461 section 4.1."""
    told = [recipient(kind, notify=notify) for kind in Kind]
    assert {action_of(each) for each in told if is_wanted(each)} == wanted


@pytest.mark.parametrize(
    ("kind", "ret", "whole", "returned"),
    [
        (Kind.FAILED, "", 50_000, "message/rfc822"),
        (Kind.FAILED, "FULL", 50_000, "message/rfc822"),
        (Kind.FAILED, "HDRS", 50_000, "text/rfc822-headers"),
        (Kind.FAILED, "FULL", 10, "text/rfc822-headers"),
        (Kind.WAITING, "FULL", 50_000, "text/rfc822-headers"),
        (Kind.DELIVERED, "FULL", 50_000, "text/rfc822-headers"),
    ],
)
def test_the_message_or_its_header_is_returned(
    kind: Kind, ret: str, whole: int, returned: str
) -> None:
    """RFC 3461 section 4.3 (RET), and the limit of what is returned whole."""
    octets = report(recipient(kind), whole=whole, ret=ret)
    part = parts(octets)[2]
    assert part.get_content_type() == returned
    assert (b"the body" in octets) == (returned == "message/rfc822")
    assert b"From: a@example.org" in octets


def test_a_header_without_an_end_is_cut_at_a_line() -> None:
    octets = report(message=b"X: yyyyyy\r\n" * 10_000, ret="HDRS")
    assert len(octets) < 70_000
    assert b"X: yyyyyy\r\n\r\n--" in octets


def test_several_recipients_are_told_of_in_one_report() -> None:
    octets = report(
        recipient(Kind.FAILED, number=3),
        recipient(Kind.WAITING, LATER, address="c@far.example", number=4),
    )
    assert [told["Action"] for told in fields(octets)[1:]] == ["failed", "delayed"]
    text = parts(octets)[0].get_payload()
    assert "<b@far.example>" in text
    assert "<c@far.example>" in text
    assert parsed(octets)["Subject"] == "Mail not delivered"


def test_the_output_of_a_command_is_in_the_report_up_to_a_limit() -> None:
    said = "\n".join(["exit 75", *(f"line {n} " + "x" * 60 for n in range(100_000))])
    octets = report(recipient(status=Status("5.3.0", said)))
    assert b"    line 20 " in octets
    assert len(octets) < 8000
    _, told = fields(octets)
    assert told["Diagnostic-Code"].startswith("x-maildrop; exit 75 line 0 xxx")
    assert all(len(line) < 998 for line in octets.split(b"\r\n"))


def test_what_others_said_begins_no_field() -> None:
    """Header injection through a reply, an address or an envelope id."""
    evil = "no\r\nX-Evil: 1\r\n\r\nBcc: x"
    octets = report(
        recipient(
            status=Status("5.0.0", evil, evil),
            address='"a\r\nX-Evil: 1"@far.example',
            original=f"rfc822;{evil}",
        ),
        envelope_id=evil,
    )
    assert b"\nX-Evil" not in octets
    assert b"\nBcc" not in octets


def test_a_boundary_that_is_in_the_message_is_not_taken() -> None:
    octets = report(message=MESSAGE + b"--=_ID1.0\r\n--=_ID1.0--\r\n")
    assert b"--=_ID1.0--" in parts(octets)[2].as_bytes()


def test_octets_of_an_8_bit_message_come_back_as_they_are() -> None:
    body = b"Subject: x\r\n\r\n\xe9\xff\r\n"
    octets = report(message=body)
    assert body in octets
    assert parts(octets)[2]["Content-Transfer-Encoding"] == "8bit"


def test_a_utf8_recipient_is_told_of_in_ascii_to_an_ascii_sender() -> None:
    """RFC 6533 section 3: utf-8-addr-xtext."""
    message = "Subject: gr\xfc\xdfe\r\n\r\nbody\r\n".encode()
    octets = report(
        recipient(
            address="j\xfcrg+x@far.example", original="utf-8;j\xfcrg@far.example"
        ),
        message=message,
        smtputf8=True,
    )
    assert octets.isascii()
    _, told = fields(octets)
    assert told["Final-Recipient"] == r"utf-8; j\x{FC}rg\x{2B}x@far.example"
    assert told["Original-Recipient"] == r"utf-8; j\x{FC}rg@far.example"
    text, _, returned = parts(octets)
    assert "j\xfcrg+x".encode() in bytes(text.get_payload(decode=True))
    assert returned.get_content_type() == "message/global"
    assert returned["Content-Transfer-Encoding"] == "base64"


def test_a_utf8_sender_gets_a_global_report() -> None:
    """RFC 6533 section 5."""
    message = "Subject: gr\xfc\xdfe\r\n\r\nbody\r\n".encode()
    octets = report(
        recipient(address="j\xfcrg@far.example"),
        message=message,
        to="\xe4nn@example.org",
        smtputf8=True,
    )
    kinds = [b"global-delivery-status", b"message/global\r\n", message]
    assert all(kind in octets for kind in kinds)
    assert "Final-Recipient: utf-8; j\xfcrg@far.example\r\n".encode() in octets


def test_a_double_bounce_says_so() -> None:
    octets = report(to="postmaster@example.org", double=True)
    assert b"no sender that could be told" in octets


TEXT = st.text(max_size=60)


@given(
    st.lists(
        st.builds(
            recipient,
            st.sampled_from([Kind.FAILED, Kind.WAITING, Kind.DELIVERED, Kind.EXPANDED]),
            st.none() | st.builds(Status, TEXT, TEXT, TEXT),
            address=st.text(min_size=1, max_size=60),
            original=TEXT,
        ),
        min_size=1,
        max_size=4,
    ),
    st.binary(max_size=200),
    st.sampled_from(["", "HDRS", "FULL"]),
)
def test_whatever_was_said_the_report_is_read_as_one(
    recipients: list[Waiting], message: bytes, ret: str
) -> None:
    octets = report(*recipients, message=message, ret=ret)
    own = b"".join(octets.split(b"\r\n--=_ID1")[:3]).replace(b"\r\n", b"")
    assert b"\r" not in own
    assert b"\n" not in own
    told = fields(octets)[1:]
    assert len(told) == len(recipients)
    for each, said in zip(recipients, told, strict=True):
        action = action_of(each)
        assert action is not None
        assert said["Action"] == action.value
        assert said["Status"].count(".") == 2
