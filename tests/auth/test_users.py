"""Users from a passwd-style file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from maildrop.auth.passwd_file import PasswdFile, index
from maildrop.auth.users import Defaults, User, Users
from maildrop.errors import StorageFailure
from maildrop.mailbox.account import Account
from maildrop.mailbox.quota import Quota
from tests.auth.conftest import Open

T = TypeVar("T")


def found(users: Users, name: str) -> User:
    user = users.lookup(name)
    assert user is not None
    return user


def test_a_line_gives_an_account(open_users: Open) -> None:
    users = open_users(
        "bob:{PLAIN}x:1000:100:Bob:/home/bob:/bin/sh:mail=mbox:/var/mail/%u "
        "quota=1K quota_messages=9\n"
    )
    user = found(users, "bob")
    assert user.account == Account("bob", "/home/bob", "mbox:/var/mail/bob", 1000, 100)
    assert user.password == "{PLAIN}x"
    assert user.quota == user.account.quota == Quota(1024, 9)
    assert user.name == "bob"
    assert "{PLAIN}" not in repr(user)


def test_what_a_line_leaves_out_comes_from_the_defaults(open_users: Open) -> None:
    user = found(open_users("bob:x"), "bob")
    assert user.account == Account("bob", "/srv/bob", "maildir:/srv/bob/Maildir")
    assert (user.allow, user.networks, user.quota) == (None, None, None)
    assert not user.disabled


def test_a_file_like_etc_passwd_works(open_users: Open) -> None:
    users = open_users(
        "root:x:0:0:root:/root:/bin/bash\n"
        "daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
        "bob:$6$salt$x:1000:1000:Bob,,,:/home/bob:/bin/bash\n"
    )
    assert found(users, "bob").account.home == "/home/bob"
    assert list(users.names()) == ["root", "daemon", "bob"]


def test_comments_and_blank_lines_are_passed_over(open_users: Open) -> None:
    users = open_users("# bob:x\n\n  \n  # more\nal:{PLAIN}y\r\n")
    assert list(users.names()) == ["al"]
    assert found(users, "al").password == "{PLAIN}y"
    assert list(users.problems()) == []


def test_uid_and_gid_may_be_names(open_users: Open) -> None:
    account = found(open_users("bob:x:vmail:mail"), "bob").account
    assert (account.uid, account.gid, account.groups) == (500, 8, (8, 100))


@pytest.mark.parametrize(
    "line",
    [
        "bob:x:nosuch",
        "bob:x:1:nosuch",
        "bob:x:4294967295",
        "bob:x::::relative",
        "bob:x::::/a/../b",
        "bob:x::::::mail=maildir:rel",
        "bob:x::::::quota=lots",
        "bob:x::::::allow_nets=everywhere",
    ],
)
def test_a_bad_line_hurts_nobody_else_and_is_logged(
    open_users: Open, passwd: Path, line: str
) -> None:
    users = open_users(f"al:y\n{line}\n../x:z\ncy:w\n")
    with capturedLogs() as events:
        assert users.lookup("bob") is None
        assert users.lookup("al") is not None
        assert users.lookup("cy") is not None
        assert users.lookup("../x") is None
    texts = [str(formatEvent(event)) for event in events]
    assert any(text.startswith(f"{passwd}:3: passed over") for text in texts)
    assert any(text.startswith(f"{passwd}:2: passed over") for text in texts)
    assert any(text.startswith(f"{passwd}:2: ") for text in users.problems())


def test_the_first_of_two_lines_with_one_name_counts(open_users: Open) -> None:
    users = open_users("bob:1\nBOB:2\n")
    assert found(users, "bob").password == "1"
    assert [text.split(":", 1)[1] for text in users.problems()] == [
        "2: name is in line 1 already",
        "1: password is neither {SCHEME}data nor a crypt(3) string",
    ]


def test_letters_count_without_their_case_unless_told_otherwise(
    open_users: Open,
) -> None:
    assert found(open_users("Bob:1"), "bOB").name == "Bob"
    users = open_users("Bob:1\nbob:2", case_sensitive=True)
    assert found(users, "bob").password == "2"
    assert users.lookup("BOB") is None


def test_a_domain_of_ours_may_be_left_out_on_either_side(open_users: Open) -> None:
    users = open_users(
        "bob:1\nal@example.org:2\ncy@other.org:3\n",
        domains=["Example.org", "second.org"],
    )
    assert found(users, "bob@example.ORG").name == "bob"
    assert found(users, "bob@second.org").name == "bob"
    assert users.lookup("bob@other.org") is None
    assert found(users, "al").name == "al@example.org"
    assert found(users, "AL@Example.Org").name == "al@example.org"
    assert users.lookup("al@second.org") is None
    assert users.lookup("cy") is None
    address = users.address("cy", "other.org")
    assert address is not None
    assert address.account.location == "maildir:/srv/cy@other.org/Maildir"
    assert users.address("bob", "") == users.lookup("bob")


@pytest.mark.parametrize(
    "name", ["", "@", "bob@", "../bob", "bob\0", "bob:x", "\udcff"]
)
def test_names_that_nobody_has_find_nobody(open_users: Open, name: str) -> None:
    users = open_users("bob:x", domains=["example.org"])
    assert users.lookup(name) is None


def test_a_changed_file_is_seen_after_a_second(
    open_users: Open, passwd: Path, clock: Clock
) -> None:
    users = open_users("bob:1")
    before = found(users, "bob")
    passwd.write_text("bob:22")
    assert found(users, "bob") is before
    clock.advance(1)
    assert found(users, "bob").password == "22"


def test_a_file_replaced_with_one_of_the_same_size_is_seen(
    open_users: Open, passwd: Path, clock: Clock
) -> None:
    users = open_users("bob:1")
    before = found(users, "bob")
    times = os.stat(passwd)
    other = passwd.with_name("other")
    other.write_text("bob:2")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(passwd)
    clock.advance(1)
    assert found(users, "bob").password != before.password


def test_an_unreadable_file_leaves_the_last_version_in_use(
    open_users: Open, passwd: Path, clock: Clock
) -> None:
    users = open_users("bob:1")
    assert users.lookup("bob")
    passwd.unlink()
    with capturedLogs() as events:
        for _ in range(3):
            clock.advance(1)
            assert users.lookup("bob")
    assert len(events) == 1
    assert "the last version stays in use" in str(formatEvent(events[0]))
    passwd.write_text("al:1")
    clock.advance(1)
    assert users.lookup("bob") is None
    assert users.lookup("al")


def test_without_any_version_nobody_can_say_who_exists(
    open_users: Open, passwd: Path, clock: Clock
) -> None:
    users = open_users()
    with pytest.raises(StorageFailure):
        users.lookup("bob")
    with pytest.raises(StorageFailure):
        users.sample(1)
    with pytest.raises(StorageFailure):
        list(users.names())
    passwd.mkdir()
    clock.advance(1)
    with pytest.raises(StorageFailure):
        users.lookup("bob")
    passwd.rmdir()
    passwd.write_text("bob:1")
    clock.advance(1)
    assert users.lookup("bob")


def test_the_first_file_that_has_a_name_counts(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a").write_text("bob:1\n")
    (tmp_path / "b").write_text("bob:2\nal:3\n")
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    users = Users(paths, Defaults("maildir:/srv/%u"), clock)
    assert found(users, "bob").password == "1"
    assert found(users, "al").password == "3"


def test_users_kept_parsed_are_bounded(open_users: Open) -> None:
    users = open_users("".join(f"u{n}:x\n" for n in range(9)), keep=3)
    first = found(users, "u0")
    assert found(users, "u0") is first
    for n in range(9):
        assert found(users, f"u{n}").name == f"u{n}"
    assert found(users, "u0") is not first


def test_a_sample_is_some_users_password_field(open_users: Open) -> None:
    users = open_users("# x:y:z\nbob:1:2\nal:3\n")
    assert {users.sample(n) for n in range(50)} == {"1", "3"}
    assert users.sample(7) == users.sample(7)
    assert open_users("").sample(7) == ""


def test_fields_that_mean_nothing_are_logged_once(open_users: Open) -> None:
    users = open_users("bob:x::::::nopassword a=b\nal:x::::::nopassword\n")
    with capturedLogs() as events:
        users.lookup("bob")
        users.lookup("al")
    texts = [str(formatEvent(event)) for event in events]
    assert sum("nopassword has no meaning here" in text for text in texts) == 1


def test_bad_lines_are_logged_up_to_a_number(open_users: Open) -> None:
    users = open_users("..:x\n" * 30)
    with capturedLogs() as events:
        users.lookup("bob")
    assert len(events) == 21
    assert "10 more bad lines" in str(formatEvent(events[-1]))


def test_lines_that_look_plain_and_others_are_read_alike() -> None:
    made = index("jörg:x\nBob:y\nbob@x.org:z\n a:1\nb b:2\nc:x:1 2\n".encode())
    assert made.numbers == {"jörg".encode(): 0, b"bob": 1, b"bob@x.org": 2}
    assert [number for number, _ in made.bad] == [4, 5, 6]


def test_a_large_file_is_read_in_a_thread_while_the_old_version_answers(
    passwd: Path, clock: Clock
) -> None:
    jobs: list[Callable[[], None]] = []

    def later(job: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        jobs.append(lambda: done.callback(job()))
        return done

    passwd.write_text("bob:1\n")
    file = PasswdFile(str(passwd), clock, in_thread=later)
    assert file.index().numbers == {b"bob": 0}
    passwd.write_text("al:1\n" + "#\n" * 100_000)
    for _ in range(3):
        clock.advance(1)
        assert file.index().numbers == {b"bob": 0}
    assert len(jobs) == 1
    jobs[0]()
    assert file.index().numbers == {b"al": 0}


def test_a_changed_file_has_the_groups_asked_anew_in_a_thread(
    passwd: Path, clock: Clock
) -> None:
    """The name service may ask the network; meanwhile the groups known count."""
    jobs: list[Callable[[], None]] = []

    def later(job: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        jobs.append(lambda: done.callback(job()))
        return done

    class Growing:
        """A host on which the user gets into one more group each time."""

        asked = 0

        def uid(self, name: str) -> int:
            raise KeyError(name)

        gid = uid

        def groups(self, uid: int, gid: int | None) -> tuple[int, ...]:
            del uid, gid
            self.asked += 1
            return tuple(range(self.asked))

    passwd.write_text("bob:1:500:8\n")
    users = Users(
        [str(passwd)],
        Defaults("maildir:~/Maildir", home="/srv/%u"),
        clock,
        numbers=Growing(),
        in_thread=later,
    )
    assert found(users, "bob").account.groups == (0,)
    passwd.write_text("bob:12:500:8\n")
    clock.advance(1)
    assert found(users, "bob").password == "12"
    assert found(users, "bob").account.groups == (0,)
    [job] = jobs
    job()
    assert found(users, "bob").account.groups == (0, 1)
