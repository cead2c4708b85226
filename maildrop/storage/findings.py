"""What ``maildrop check`` finds, and what is to be done about each kind of it.

In this file:
    Code       the kinds of findings; the table of the manual is made from them
    Finding    one thing found, with its evidence
    Part       what is checked at a time: a mailbox, or what belongs to no mailbox
    Inspect    finds the parts of an account
    shown      a file's name for people

Three sorts of kinds:

    derived     what is wrong follows from something that is right: ``repair`` puts it
                right, and nothing that a client knows is lost by it
    not derived nobody but the administrator can know what should be there: nothing is
                touched, and the finding says what to do
    note        nothing is wrong, but worth knowing; does not count as a finding for the
                exit status
"""

import enum
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    Attributes:
        says: What it means.
        remedy: What ``--repair`` does, or what the administrator has to do.
        derived: Whether ``--repair`` does something.
        note: Nothing is wrong.
    """

    says: str
    remedy: str
    derived: bool = True
    note: bool = False


def _by_hand(says: str, remedy: str) -> Kind:
    return Kind(says, remedy, derived=False)


def _note(says: str, remedy: str) -> Kind:
    return Kind(says, remedy, derived=False, note=True)


class Code(enum.Enum):
    """The kinds of findings; ``code`` is what is printed."""

    # -- control files
    CONTROL_FILE_UNUSABLE = _by_hand(
        "a control file cannot be opened, or is no regular file",
        "give it back to its owner, or move it away; the mailbox cannot be opened",
    )
    TEMPORARY_LEFT_OVER = Kind(
        "a temporary file that a crash left beside a control file",
        "it is removed",
    )
    SNAPSHOT_MISSING = Kind(
        "the ledger's log goes on from a snapshot that is not there",
        "UIDs are lost: the mailbox is numbered anew, with a new UIDVALIDITY, as it "
        "is when anybody opens it; put `maildrop.ledger` back from a backup before "
        "that to keep them",
    )
    SNAPSHOT_DAMAGED = Kind(
        "the ledger's snapshot fails a checksum, or makes no sense",
        "what can be known of the UIDs is kept, and all else found again from the "
        "files; where UIDs themselves are lost the mailbox is numbered anew, with a "
        "new UIDVALIDITY",
    )
    LOG_MISSING = Kind(
        "there is a snapshot of the ledger and no log, or one that is damaged at its "
        "start or belongs to another snapshot",
        "a new log is begun; UIDNEXT and HIGHESTMODSEQ jump over all that the lost one "
        "may have given away",
    )
    LOG_TORN = Kind(
        "the end of the ledger's log is torn or damaged",
        "it is cut off; UIDNEXT and HIGHESTMODSEQ jump over all that it may have "
        "given away",
    )
    LOG_NONSENSE = Kind(
        "a record of the ledger's log has a right checksum and makes no sense",
        "the mailbox is numbered anew, with a new UIDVALIDITY",
    )
    # -- what the ledger says
    UID_VALIDITY_ZERO = Kind(
        "UIDVALIDITY is 0, which no client may be told",
        "a new UIDVALIDITY is given; UIDs stay",
    )
    UIDS_OUT_OF_ORDER = Kind(
        "UIDs of the ledger do not ascend, or one is given twice, or is 0",
        "the entries are put in order; messages whose UID is not theirs alone get the "
        "next ones",
    )
    UID_NEXT_WRONG = Kind(
        "a message has a UID that is not below UIDNEXT",
        "UIDNEXT is raised",
    )
    MOD_SEQ_WRONG = Kind(
        "a message has a MODSEQ above HIGHESTMODSEQ, or none",
        "the message gets the next MODSEQ",
    )
    RECENT_WRONG = Kind(
        "the first recent UID is above UIDNEXT",
        "it is put to UIDNEXT",
    )
    EXPUNGED_WRONG = Kind(
        "the memory of expunged UIDs contradicts the ledger",
        "it is emptied; QRESYNC clients compare all UIDs once",
    )
    KEYWORD_UNNAMED = Kind(
        "a message has a keyword that the mailbox has no name for",
        "the keyword is taken away",
    )
    KEYWORD_INVALID = Kind(
        "the name of a keyword is none that IMAP allows, or there twice",
        "it gets a name from its number, `maildrop-N`",
    )
    UIDL_WRONG = Kind(
        "a POP3 unique id is there twice, or is none that POP3 allows",
        "the later message gets the one that its file's name gives",
    )
    OBJECT_ID_DOUBLED = Kind(
        "two different messages have one object id (EMAILID)",
        "the later message gets the one that follows from its name",
    )
    NAME_IN_LEDGER_TWICE = Kind(
        "two entries of the ledger name one file",
        "the later entry is removed; the message keeps the lower UID",
    )
    DATE_WRONG = Kind(
        "an internal date lies outside of the years 1 to 9999",
        "it becomes the time at which the message came into the mailbox",
    )
    NOTE_LEFT_OVER = Kind(
        "the ledger keeps a note of a message that is gone, or one that is unreadable",
        "the note is removed",
    )
    LEDGER_SIZE_WRONG = Kind(
        "the ledger has another size of a message than the message has",
        "the size is measured and put right",
    )
    LEDGER_FLAGS_WRONG = Kind(
        "the ledger has other flags, or another directory, than the file's name has",
        "those of the file's name are taken over",
    )
    ENTRY_WITHOUT_FILE = Kind(
        "the ledger has a message whose file is gone, though nothing changed since the "
        "ledger last agreed with the directories",
        "the entry is removed, as if another program had removed the message; a file "
        "put back from a backup is taken in as a message",
    )
    FILE_WITHOUT_ENTRY = Kind(
        "a message lies in the mailbox that the ledger does not have, though nothing "
        "changed since it last agreed with the directories",
        "the message gets the next UID",
    )
    DELIVERY_UNFINISHED = Kind(
        "a message has a UID and is still in tmp/: a crash interrupted its delivery",
        "it is moved to its place",
    )
    # -- cache
    CACHE_UNUSABLE = Kind(
        "the cache file is missing, damaged at its start, or not the one that the "
        "ledger points into",
        "it is begun anew, and filled when clients ask",
    )
    CACHE_RECORD_DAMAGED = Kind(
        "the cache's record of a message fails its checksum, or is another message's",
        "it is made anew from the message",
    )
    CACHE_PIECE_WRONG = Kind(
        "a piece of the cache (ENVELOPE, BODYSTRUCTURE, header fields) is not what the "
        "message gives",
        "it is made anew from the message",
    )
    # -- text for searches
    TEXT_DAMAGED = Kind(
        "the text that searches look through (`maildrop.text`) is damaged or torn",
        "it is removed; the next search makes it again",
    )
    TEXT_WRONG = Kind(
        "the text that searches look through is not what the message gives",
        "it is removed; the next search makes it again",
    )
    # -- message files
    MESSAGE_FILE_CHANGED = _by_hand(
        "a message's file is shorter or longer than its name says (`S=`): it was cut "
        "off, or changed in place",
        "compare it with a backup; to keep it as it is, rename it to the right `S=` "
        "(it becomes a new message)",
    )
    MESSAGE_EMPTY = _by_hand(
        "a message's file is empty, or begins with NUL octets: its content never "
        "reached the disk",
        "put the file back from a backup, or expunge the message",
    )
    MESSAGE_UNREADABLE = _by_hand(
        "a message's file cannot be read",
        "make it readable for its owner, or look at the disk",
    )
    MESSAGE_TOO_LARGE = _by_hand(
        "a message's file is larger than what is served (512 MiB)",
        "move it away",
    )
    NAME_SIZE_WRONG = _note(
        "the name of a message's file tells another size of the message (`W=`) than it "
        "has",
        "nothing: maildrop measures; other servers may tell clients a wrong size",
    )
    FOREIGN_FILE = _by_hand(
        "something in cur/ or new/ is no regular file, and is served to nobody",
        "move it away",
    )
    NAME_DOUBLED = Kind(
        "two different files in a mailbox have one base name",
        "the one that the ledger does not have gets a name of its own, and so is a new "
        "message",
    )
    NAME_LINKED_TWICE = Kind(
        "one message file has two names with one base name: a move that a crash "
        "interrupted",
        "the name that the ledger does not have is removed",
    )
    # -- directories
    MAILDIR_INCOMPLETE = Kind(
        "a Maildir lacks cur/, new/ or tmp/",
        "the directory is made",
    )
    DIRECTORY_UNUSABLE = _by_hand(
        "a directory of the mailbox is no directory, or lacks rights that its owner "
        "needs",
        "give it back to its owner with mode 700",
    )
    OWNER_WRONG = _by_hand(
        "a file or directory of the mailbox belongs to another user",
        "chown it to the user, or remove it",
    )
    WRITABLE_BY_ALL = _by_hand(
        "everybody on this host may change a file or directory of the mailbox",
        "chmod o-w it",
    )
    FOLDER_NAME_INVALID = _by_hand(
        "a folder has a name that no mailbox may have: no client sees it",
        "rename it; the evidence has a name that would do",
    )
    FOLDER_IS_LINK = _by_hand(
        "a folder is a symbolic link: no client sees it",
        "move the folder itself to its place",
    )
    FOLDER_HIDDEN = _by_hand(
        "a mailbox cannot be seen, for another one has its name",
        "rename one of the two",
    )
    DIRECTORY_LEFT_OVER = Kind(
        "a mailbox that was being made or removed when a crash came",
        "it is removed",
    )
    RENAME_UNFINISHED = Kind(
        "a rename of mailboxes that a crash interrupted",
        "it is finished",
    )
    UID_VALIDITY_FILE_WRONG = Kind(
        "the file with the last UIDVALIDITY given is damaged, or lower than that of a "
        "mailbox",
        "it is put to the highest one that a mailbox has",
    )
    CONTROL_ORPHANED = _note(
        "there are control files of a mailbox that does not exist",
        "nothing: they keep the UIDs, should the file come back; remove them otherwise",
    )
    # -- lists
    SUBSCRIPTION_UNREADABLE = _by_hand(
        "a line of the subscriptions is no mailbox name",
        "remove or mend the line",
    )
    SUBSCRIPTION_TO_NOTHING = _note(
        "a subscription to a mailbox that does not exist",
        "nothing: it may come back; the user's client can unsubscribe",
    )
    SUBSCRIPTION_DOUBLED = Kind(
        "a mailbox is subscribed to twice",
        "one line is removed",
    )
    LIST_UNUSABLE = _by_hand(
        "a list of mailbox names cannot be read, or is too long",
        "look at the file, and move it away if it is no list",
    )
    SPECIAL_USE_WRONG = Kind(
        "a line of the special uses is unreadable, or tells an unknown use",
        "the line is removed",
    )
    SPECIAL_USE_OF_NOTHING = _note(
        "a special use of a mailbox that does not exist",
        "nothing: it counts again when the mailbox is made",
    )
    # -- quota, undelete
    QUOTA_WRONG = Kind(
        "what is remembered of a quota's use (`maildrop.quota`) is damaged, or not "
        "what a ledger says",
        "it is removed, and counted again",
    )
    KEPT_UNUSABLE = _by_hand(
        "something among the expunged messages that are kept (`maildrop.kept`) is "
        "none, or was changed, and cannot be brought back as it was",
        "move it away, or put it back from a backup",
    )
    # -- mbox
    MBOX_INVALID = _by_hand(
        "the file does not begin with a message: it is no mbox",
        "move it away, or mend its first line",
    )
    MBOX_ZEROS = _by_hand(
        "a run of NUL octets stands in the mbox: what should be there never reached "
        "the disk",
        "compare the file with a backup",
    )
    LAYOUT_DAMAGED = Kind(
        "the list of places in the mbox fails its checksum",
        "it is made anew from the file",
    )
    LAYOUT_WRONG = Kind(
        "the list of places is of the file as it is, and places do not fit: the file "
        "was changed behind its time stamps",
        "it is made anew from the file",
    )
    REWRITE_UNFINISHED = Kind(
        "a rewrite of the mbox that a crash interrupted",
        "it is finished from its journal",
    )
    REWRITE_PUT_ASIDE = _by_hand(
        "a journal of a rewrite that did not fit the mbox was put aside",
        "compare it with the mbox: it has messages as they should stand there; then "
        "remove it",
    )
    APPEND_UNFINISHED = Kind(
        "an addition to the mbox that a crash interrupted",
        "half a message at the end is cut off, a whole one stays",
    )
    DOTLOCK_STALE = Kind(
        "a dotlock whose process is gone, or that was not touched for five minutes",
        "it is removed",
    )
    MBOX_PLANTED = _by_hand(
        "the mbox lies where everybody may make files, and belongs to another user",
        "look whose it is, and remove it or chown it to the user",
    )
    # -- the check itself
    NOT_CHECKED = _by_hand(
        "it could not be checked",
        "remove the reason, or try again later",
    )

    @property
    def code(self) -> str:
        """What is printed: ``ledger-size-wrong``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        code: What kind.
        mailbox: Its mailbox; empty for what belongs to none.
        evidence: What was seen, and what should have been.
        path: The file.
        uid: The message.
        what: Which of several of that kind in one file or message.
    """

    code: Code
    mailbox: str
    evidence: str = field(compare=False)
    path: str = field(default="", compare=False)
    uid: int | None = None
    what: str = ""

    @property
    def note(self) -> bool:
        """Whether nothing is wrong."""
        return self.code.value.note

    @property
    def derived(self) -> bool:
        """Whether it can be repaired."""
        return self.code.value.derived

    @property
    def repair(self) -> str:
        """What ``--repair`` does, or what the administrator has to do."""
        return self.code.value.remedy


#: Called with the number of messages that were looked at since the last call.
Told = Callable[[int], None]


class Part(Protocol):
    """What is checked at a time."""

    @property
    def mailbox(self) -> str:
        """Its name; empty for what belongs to no mailbox."""

    def count(self) -> int:
        """How many messages there are to look at, as far as is known before."""

    def check(self, told: Told) -> list[Finding]:
        """Look at everything; changes nothing."""

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is derived.

        Raises:
            MaildropError: It could not be done.
        """


class Inspect(Protocol):
    """The parts of one account, found without changing anything."""

    def parts(self) -> Iterable[Part]:
        """What belongs to no mailbox, then each mailbox by name."""


def codes_in(findings: Iterable[Finding]) -> set[Code]:
    """The kinds that are among some findings."""
    return {finding.code for finding in findings}


def uids_of(findings: Iterable[Finding], *codes: Code) -> list[int]:
    """The UIDs that findings of some kinds name, ascending."""
    found = {f.uid for f in findings if f.code in codes and f.uid is not None}
    return sorted(found)


def some(texts: Iterator[str], most: int = 5) -> str:
    """The first few of some texts, for evidence."""
    listed = list(texts)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


#: Longest name that is shown whole.
_SHOWN_MAX: Final = 200


def shown(name: bytes | str) -> str:
    """A file's name for people: printable, whatever it holds."""
    text = os.fsdecode(name)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
