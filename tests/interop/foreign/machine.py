"""A real server, real clients and real programs on one mailbox, in any order.

In this file:
    Together    what holds for both formats; ``maildir`` and ``mbox`` have the rest

The model: what is in the files is what has to be shown.  The files are read here
without any code of the server's; each rule knows how many messages come and go by it,
so that a message which the server loses or doubles is missed there.  After each step

- a client that selects the mailbox now finds the messages of the files, with the flags
  that both worlds add up to;
- no UID names another content than it ever did, UIDs ascend, and a message that only
  stayed where it was keeps its UID;
- two sessions, one of them in IDLE while others are at work, have been told all of it;
- the server has not logged an error.
"""

import contextlib
import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from tests.interop.clients import deliver, pop3
from tests.interop.foreign.programs import Programs
from tests.interop.foreign.session import Flags, Session, Shown, look
from tests.interop.server import Server, User
from tests.storage.history import History

Contents = Counter[bytes]

CHOICE: Final = st.integers(0, 9)
#: Seconds until a change of the files must have been told.
TOLD: Final = 8.0
_NAMES: Final = {
    SEEN: "\\Seen",
    ANSWERED: "\\Answered",
    FLAGGED: "\\Flagged",
    DRAFT: "\\Draft",
    DELETED: "\\Deleted",
}
_SUBJECT: Final = re.compile(rb"^Subject: (m\d+)\r$", re.MULTILINE)
#: What mutt does to a message, and the flags it has then.
MUTT: Final = {
    "<clear-flag>N": "\\Seen",
    "<set-flag>!": "\\Flagged",
    "<set-flag>r": "\\Answered",
}


def names(flags: int) -> Flags:
    """System flags by name."""
    return frozenset(name for bit, name in _NAMES.items() if flags & bit)


def canonical(stored: bytes) -> bytes:
    """A message with CRLF line ends."""
    return stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def subject(content: bytes) -> str:
    """The subject of a message; empty when it was cut off."""
    found = _SUBJECT.search(content)
    return found[1].decode() if found else ""


class Together(RuleBasedStateMachine):
    """See the module."""

    server: ClassVar[Server]
    kind: ClassVar[str]
    #: Each has an empty mailbox.
    users: ClassVar[Iterator[User]]

    #: Of the subclass.
    programs: Programs

    def __init__(self) -> None:
        super().__init__()
        self.user = next(self.users)
        self.serial = itertools.count(1)
        self.history = History()
        self.uid_of: dict[bytes, int] = {}
        self.flags: dict[bytes, Flags] = {}
        self.sessions = [Session(self.server, self.user) for _ in range(2)]

    def teardown(self) -> None:
        for session in self.sessions:
            session.close()
        assert self.server.trouble() == []

    # -- the files

    def _files(self) -> list[tuple[bytes, Flags]]:
        raise NotImplementedError

    def files(self) -> list[tuple[bytes, Flags]]:
        """Contents and flags in the files, once they say the same twice."""
        before = None
        while True:
            with contextlib.suppress(FileNotFoundError):
                found = self._files()
                if found == before:
                    return found
                before = found

    def contents(self) -> Contents:
        return Counter(content for content, _ in self.files())

    def text(self) -> bytes:
        number = next(self.serial)
        return (
            b"From: a@example.org\nSubject: m%d\nMessage-ID: <%s.%d@example.org>\n\n"
            b"revision 0 of m%d.\n>From here on\n"
            % (number, self.user.name.encode(), number, number)
        )

    def pick(self, choice: int) -> tuple[str, bytes] | None:
        """Subject and content of a message that is there once and whole."""
        there = self.contents()
        by_subject = Counter(subject(content) for content in there.elements())
        found = sorted(
            content
            for content, count in there.items()
            if count == 1 and by_subject[subject(content)] == 1 and subject(content)
        )
        if not found:
            return None
        content = found[choice % len(found)]
        return subject(content), content

    def work(
        self, do: Callable[[], object], adds: int = 0, removes: int = 0
    ) -> tuple[Contents, Contents]:
        """Have something done that adds and removes so many messages."""
        self.sessions[1].idle()
        before = self.contents()
        do()
        after = self.contents()
        added, removed = after - before, before - after
        assert (added.total(), removed.total()) == (adds, removes), (added, removed)
        return added, removed

    # -- deliveries and foreign changes that both formats know

    def deliverable(self) -> bool:
        """Whether procmail leaves what is there as it is."""
        return True

    @rule(program=st.sampled_from(["procmail", "dovecot"]))
    def deliver(self, program: str) -> None:
        if not self.deliverable():
            return
        text = self.text()
        if program == "dovecot":
            self.deliver_with_dovecot(text)
        else:
            self.work(lambda: self.programs.procmail(text), adds=1)

    def deliver_with_dovecot(self, text: bytes) -> None:
        """Deliver with its own agent."""
        self.work(lambda: self.programs.dovecot(text), adds=1)

    def readable(self) -> bool:
        """Whether mutt understands the files."""
        return True

    @rule(
        program=st.sampled_from(["mutt", "neomutt"]),
        choice=CHOICE,
        keys=st.sampled_from(sorted(MUTT)),
    )
    def flag_with_mutt(self, program: str, choice: int, keys: str) -> None:
        if not self.readable():
            return
        picked = self.pick(choice)
        if picked is not None:
            name, content = picked
            self.work(lambda: self.programs.mutt(program, name, keys))
            self.flagged(content, MUTT[keys])

    def flagged(self, content: bytes, flag: str) -> None:
        """Mutt has given a message a flag, unless the server wrote the file meanwhile.

        Then it reads it anew, and may forget what it was to do.
        """
        if flag in dict(self.files())[content]:
            self.flags[content] |= {flag}

    @rule(program=st.sampled_from(["mutt", "neomutt"]), choice=CHOICE)
    def delete_with_mutt(self, program: str, choice: int) -> None:
        if not self.readable():
            return
        picked = self.pick(choice)
        if picked is not None:
            name = picked[0]
            keys = "<delete-message>"
            self.deleting(lambda: self.programs.mutt(program, name, keys))

    def deleting(self, do: Callable[[], object]) -> None:
        """Have mutt delete one message, unless the server wrote meanwhile."""
        self.sessions[1].idle()
        before = self.contents()
        do()
        after = self.contents()
        assert not after - before
        assert (before - after).total() <= 1

    # -- our clients

    @rule(flags=st.sampled_from(["", "\\Seen", "\\Flagged $Junk"]))
    def append(self, flags: str) -> None:
        text = canonical(self.text())
        self.work(lambda: self.sessions[0].append(text, flags), adds=1)

    @rule()
    def lmtp(self) -> None:
        text = canonical(self.text())
        self.work(lambda: deliver(self.server, self.user, text), adds=1)

    @rule()
    def all_at_once(self) -> None:
        """Deliveries of two worlds, and a session that flags, at the same time."""
        if not self.deliverable():
            return
        one, two, three = (self.text() for _ in range(3))
        works = (
            lambda: self.programs.procmail(one),
            lambda: deliver(self.server, self.user, canonical(two)),
            lambda: self.sessions[0].append(canonical(three)),
        )
        errors: list[BaseException] = []

        def guarded(do: Callable[[], None]) -> None:
            try:
                do()
            except BaseException as error:
                errors.append(error)

        def do() -> None:
            threads = [threading.Thread(target=guarded, args=(w,)) for w in works]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert errors == []

        self.work(do, adds=3)

    @rule(
        choice=CHOICE,
        sign=st.sampled_from("+-"),
        flag=st.sampled_from(["\\Seen", "\\Flagged", "\\Answered", "$Junk", "work"]),
    )
    def store(self, choice: int, sign: str, flag: str) -> None:
        picked = self.pick(choice)
        uid = self.uid_of.get(picked[1]) if picked else None
        if picked is None or uid is None:
            return
        command = f"UID STORE {uid} {sign}FLAGS ({flag})"
        self.work(lambda: self.sessions[0].command(command))
        before = self.flags[picked[1]]
        self.flags[picked[1]] = before | {flag} if sign == "+" else before - {flag}

    @rule(choice=CHOICE)
    def expunge(self, choice: int) -> None:
        picked = self.pick(choice)
        uid = self.uid_of.get(picked[1]) if picked else None
        if uid is None:
            return
        self.sessions[0].command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.work(lambda: self.sessions[0].command(f"UID EXPUNGE {uid}"), removes=1)

    @rule(choice=CHOICE)
    def copy(self, choice: int) -> None:
        picked = self.pick(choice)
        uid = self.uid_of.get(picked[1]) if picked else None
        if uid is not None:
            command = f"UID COPY {uid} INBOX"
            self.work(lambda: self.sessions[0].command(command), adds=1)

    @rule(choice=CHOICE, delete=st.booleans())
    def pop(self, choice: int, *, delete: bool) -> None:
        """POP3 shows the same messages in the same order, and its ids are for ever."""
        shown = self._agreed()
        client = pop3(self.server, self.user)
        uidls = [line.split()[1] for line in client.uidl()[1]]
        octets = [
            b"".join(line + b"\r\n" for line in client.retr(number + 1)[1])
            for number in range(len(uidls))
        ]
        if delete and uidls:
            client.dele(choice % len(uidls) + 1)
        for content in self.flags:  # what was retrieved has been seen
            self.flags[content] |= {"\\Seen"}
        self.work(client.quit, removes=1 if delete and uidls else 0)
        assert octets == [whole(each.octets) for each in shown.messages]
        by_uid = [each.uid for each in shown.messages]
        contents = {each.uid: each.octets for each in shown.messages}
        self.history.take(
            shown.uid_validity, contents, dict(zip(by_uid, uidls, strict=True))
        )

    @rule(at=st.integers(0, 1))
    def select_again(self, at: int) -> None:
        self.sessions[at].catch_up()
        self.sessions[at].select()

    # -- what has to be true

    @invariant()
    def all_agree(self) -> None:
        shown = self._agreed()
        self._compare_with_before(shown)

    def _agreed(self) -> Shown:
        """The mailbox, once files, a new client and both sessions agree."""
        end = time.monotonic() + TOLD
        while True:
            found = self._differences()
            if isinstance(found, Shown):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def _differences(self) -> Shown | object:
        there = self.files()
        shown = look(self.server, self.user)
        contents = {each.uid: each.octets for each in shown.messages}
        self.history.take(shown.uid_validity, contents, {})
        if Counter(contents.values()) != Counter(content for content, _ in there):
            return "files", there, shown
        if wrong := self._wrong_flags(there, shown):
            return wrong
        for session in self.sessions:
            session.catch_up()
            if session.uids != list(contents):
                return "session", session.uids, shown
            if session.flags != [each.flags for each in shown.messages]:
                return "flags", session.uids, session.flags, shown
        return shown

    def expected(self, content: bytes, shown: Flags) -> Flags | None:
        """The flags of a message, for which it is shown some; None if any will do."""
        del shown
        return self.flags.get(content)

    def _wrong_flags(self, there: list[tuple[bytes, Flags]], shown: Shown) -> object:
        """What is wrong with the flags, if anything."""
        del there
        count = Counter(each.octets for each in shown.messages)
        for each in shown.messages:
            wanted = self.expected(each.octets, each.flags)
            if count[each.octets] == 1 and wanted not in {None, each.flags}:
                return "flags", wanted, each
        return None

    def _compare_with_before(self, shown: Shown) -> None:
        count = Counter(each.octets for each in shown.messages)
        now = {e.octets: e for e in shown.messages if count[e.octets] == 1}
        for content, uid in self.uid_of.items():
            if content in now:
                assert now[content].uid == uid, ("numbered anew", content)
        self.uid_of = {content: each.uid for content, each in now.items()}
        self.flags = {content: each.flags for content, each in now.items()}


def whole(octets: bytes) -> bytes:
    """A message as POP3 gives it: its last line has an end (RFC 1939 section 3)."""
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
