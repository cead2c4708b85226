"""The command line of sendmail."""

import pytest
from hypothesis import given, strategies as st

from maildrop.sendmail.options import Misused, Mode, Options, parse


def options(mode: Mode = Mode.MESSAGE, **more: object) -> Options:
    made = Options(mode)
    for name, value in more.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        # mutt, with and without envelope sender, 8-bit, reports
        ("-oem -oi -- a b", options(dots=False, recipients=["a", "b"])),
        (
            "-oem -oi -f me@x -B8BITMIME -N never -R hdrs -- a",
            options(
                dots=False,
                sender="me@x",
                notify=("NEVER",),
                ret="HDRS",
                recipients=["a"],
            ),
        ),
        # s-nail, bsd-mailx
        ("-i -r me@x -- a", options(dots=False, sender="me@x", recipients=["a"])),
        ("-i -m a", options(dots=False, recipients=["a"])),
        # the cron of Debian
        (
            "-FCronDaemon -i -B8BITMIME -oem root",
            options(dots=False, name="CronDaemon", recipients=["root"]),
        ),
        # PHP, git send-email, Mailman, at
        ("-t -i", options(dots=False, extract=True)),
        ("-ti", options(dots=False, extract=True)),
        ("-i a@x b@x", options(dots=False, recipients=["a@x", "b@x"])),
        ("-odb -oi -f  a", options(dots=False, sender="a")),
        ("-oi -fwww@x a", options(dots=False, sender="www@x", recipients=["a"])),
        ("-bm -v a", options(verbose=True, recipients=["a"])),
        ("-bs", options(Mode.DIALOGUE)),
        ("-bp", options(Mode.LIST)),
        ("-bi", options(Mode.ALIASES)),
        ("-I", options(Mode.ALIASES)),
        ("-q", options(Mode.FLUSH)),
        ("-q -v", options(Mode.FLUSH, verbose=True)),
        ("-qI01ABC", options(Mode.FLUSH, entry="01ABC")),
        ("-C /etc/x.toml a", options(file="/etc/x.toml", recipients=["a"])),
        ("-V id-1 a", options(envelope_id="id-1", recipients=["a"])),
        (
            "-N delay,failure a",
            options(notify=("DELAY", "FAILURE"), recipients=["a"]),
        ),
        # without meaning here
        ("-O ErrorMode=m -d0.1 -Ac -L tag -h 5 -U -n -X/l -p smtp:h a", None),
        # options end at the first argument that is none
        ("a -f evil", options(recipients=["a", "-f", "evil"])),
        ("-- -f", options(recipients=["-f"])),
        ("- a", options(recipients=["-", "a"])),
        ("", options()),
    ],
)
def test_programs_are_understood(line: str, asked: Options | None) -> None:
    asked = asked or options(recipients=["a"])
    assert vars(parse(line.split())) == vars(asked)


def test_no_sender_is_one_that_was_asked_for() -> None:
    assert parse(["-f", "", "a"]).sender == ""
    assert parse(["-f", "<>", "a"]).sender == "<>"
    assert parse(["a"]).sender is None


@pytest.mark.parametrize(
    ("called", "mode"),
    [
        ("sendmail", Mode.MESSAGE),
        ("mailq", Mode.LIST),
        ("newaliases", Mode.ALIASES),
        ("anything", Mode.MESSAGE),
    ],
)
def test_the_name_says_what_is_done(called: str, mode: Mode) -> None:
    assert parse([], called).mode is mode


@pytest.mark.parametrize(
    "line",
    [
        "-bd",
        "-bD",
        "-bt",
        "-bv a",
        "-bz",
        "-q30m",
        "-z",
        "-ti9",
        "--help",
        "-f",
        "-F",
        "-b",
        "-N sometimes a",
        "-N never,success a",
        "-N , a",
        "-R all a",
        "-V \x01 a",
        "-V " + "x" * 101,
    ],
)
def test_what_cannot_be_done_is_said(line: str) -> None:
    with pytest.raises(Misused):
        parse(line.split(" "))


@given(st.lists(st.text(st.sampled_from("-bfFNRtioqvd m<>@\n"), max_size=6)))
def test_any_words_are_understood_or_misused(words: list[str]) -> None:
    try:
        options = parse(words)
    except Misused:
        return
    assert options.recipients == words[len(words) - len(options.recipients) :]
