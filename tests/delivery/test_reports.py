"""Who is told what became of mail."""

from twisted.logger import LogLevel, capturedLogs

from maildrop.delivery.reports import Reporter
from maildrop.durable import Content
from maildrop.queue.entry import Entry, Kind, Options, Status, Waiting

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def place(address: str) -> Waiting:
    return Waiting(0, address, "smtp", address.rpartition("@")[2])


def reporter(double: str = "") -> Reporter:
    return Reporter("mx.org", lambda: 2000.0, place, double=double)


def failed(number: int = 0, address: str = "b@far.example") -> Waiting:
    waiting = Waiting(number, address, "smtp", "far.example")
    waiting.kind, waiting.status = Kind.FAILED, Status("5.1.1", "nobody")
    return waiting


def entry(sender: str, *recipients: Waiting, report: str = "") -> Entry:
    options = Options(report=report)
    return Entry("ID1", sender, 1000.0, len(MESSAGE), list(recipients), options)


def made(
    sent: Entry, *, double: str = "", content: bytes = MESSAGE
) -> tuple[Entry, bytes] | None:
    found = reporter(double).report(sent, sent.recipients, Content.of(content))
    return found and (found[0], bytes(found[1].octets()))


def test_a_report_goes_to_the_sender_from_nobody() -> None:
    """RFC 3464 section 2, RFC 5321 section 6.1."""
    found = made(entry("a@example.org", failed()))
    assert found is not None
    report, octets = found
    assert report.sender == ""
    assert report.options.report == "ID1"
    assert [each.address for each in report.recipients] == ["a@example.org"]
    assert report.recipients[0].notify == ("NEVER",)
    assert report.size == len(octets)


def test_a_message_without_a_sender_is_not_answered() -> None:
    with capturedLogs() as logged:
        assert made(entry("", failed())) is None
    assert [each["log_level"] for each in logged] == [LogLevel.warn]
    assert logged[0]["recipient"] == "b@far.example"


def test_the_postmaster_hears_of_a_double_bounce_if_that_is_set() -> None:
    found = made(entry("", failed()), double="postmaster@example.org")
    assert found is not None
    assert found[0].recipients[0].address == "postmaster@example.org"
    assert found[0].sender == ""


def test_nobody_hears_of_a_double_bounce_that_fails_itself() -> None:
    sent = entry("", failed(address="postmaster@example.org"), report="ID0")
    assert made(sent, double="postmaster@example.org") is None


def test_nobody_hears_that_a_message_without_a_sender_is_late() -> None:
    late = failed()
    late.kind = Kind.WAITING
    assert made(entry("", late), double="postmaster@example.org") is None


def test_the_owner_of_a_list_hears_of_its_members() -> None:
    member = failed()
    member.sender = "owner-team@example.org"
    found = made(entry("a@example.org", member))
    assert found is not None
    assert found[0].recipients[0].address == "owner-team@example.org"


def test_a_member_of_a_list_without_an_owner_to_tell_is_not_reported() -> None:
    member = failed()
    member.sender = ""
    assert made(entry("a@example.org", member)) is None


def test_only_those_are_told_of_that_the_sender_asked_for() -> None:
    """RFC 3461 section 4.1."""
    quiet = failed(1, "quiet@far.example")
    quiet.notify = ("NEVER",)
    found = made(entry("a@example.org", failed(), quiet))
    assert found is not None
    assert b"quiet@far.example" not in found[1]
    assert made(entry("a@example.org", quiet)) is None


def test_of_a_large_message_no_more_than_the_header_is_read() -> None:
    octets = MESSAGE + b"x" * 100_000
    sent = entry("a@example.org", failed())
    sent.size = len(octets)
    found = made(sent, content=octets)
    assert found is not None
    assert len(found[1]) < 4000


def test_a_report_to_a_utf8_sender_needs_smtputf8() -> None:
    """RFC 6533."""
    found = made(entry("\xe4nn@example.org", failed()))
    assert found is not None
    assert found[0].options.smtputf8
    assert found[0].options.eight_bit
