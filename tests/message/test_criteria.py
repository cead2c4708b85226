"""The criteria of SEARCH are values: RFC 3501 section 6.4.4."""

from maildrop.message.criteria import All, And, HasFlag, Not, Numbers, Or, Recent, Uids
from maildrop.message.flags import SEEN
from maildrop.message.sequence_set import SequenceSet


def test_equal_questions_are_equal_and_may_be_keys() -> None:
    def asked() -> Or:
        return Or(And((All(), Not(HasFlag(SEEN)))), Recent())

    assert {asked(): "once"}[asked()] == "once"


def test_numbers_and_uids_are_different_questions() -> None:
    one = SequenceSet(((1, 1),))
    assert len({Numbers(one), Uids(one)}) == 2
