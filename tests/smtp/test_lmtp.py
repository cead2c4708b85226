"""LMTP as a whole: a reply for each recipient, wherever the octets are cut."""

import pytest

from tests.smtp.conftest import Served

CONVERSATION = (
    b"EHLO x\r\nLHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nRCPT TO:<nobody>\r\n"
    b"RCPT TO:<bob@example.org>\r\nDATA\r\n\r\n..\r\n.\r\nMAIL FROM:<>\r\nDATA\r\n"
    b"RCPT TO:<x@y>\r\nDATA\r\nRCPT TO:<carol>\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n"
)


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_replies_are_the_same(lmtp: Served, cut: int) -> None:
    """RFC 2033 section 4.2; without a recipient DATA is refused once."""
    lmtp.connect()
    answer = lmtp.say(CONVERSATION[:cut]) + lmtp.say(CONVERSATION[cut:])
    codes = [int(line[:3]) for line in answer.splitlines() if line[3:4] == b" "]
    assert codes == [
        *(500, 250, 250, 250, 550, 250, 354, 250, 250),
        *(250, 503, 550, 503, 250, 250, 221),
    ]
    assert [len(lmtp.mail(user)) for user in ("alice", "bob", "carol")] == [1, 1, 1]
