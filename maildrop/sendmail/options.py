"""The command line of sendmail, as programs have written it for forty years.

In this file:
    Options    what was asked for
    Mode       what to do
    parse      reads arguments
    Misused    the arguments say nothing that can be done

    -t            recipients are in To, Cc and Bcc, besides those named
    -i -oi        a line with a dot does not end the message
    -f -r ADDR    the reverse path; ``<>`` or nothing for none
    -F NAME       the full name, where From is missing
    -N WHEN       reports: never, or some of success, failure, delay (RFC 3461)
    -R full|hdrs  how much of the message reports return
    -V ID         envelope id for reports
    -bm           take a message: what is done without any -b
    -bs           speak SMTP on standard input and output
    -bp           list the queue: what ``mailq`` does
    -bi -I        rebuild aliases: what ``newaliases`` does
    -q[I[ID]]     try what waits in the queue now, or one message of it
    -C FILE       the configuration
    -v            tell what is done
    --            no more options

Taken and without meaning here: ``-A -B -d -D -e -G -h -L -m -M -n -o -O -p -T -U -X``.

As with sendmail and Postfix options end at the first argument that is none, so that a
program which puts addresses of strangers behind one of its own is not told options by
them.

Security: no option names a program, or a file that is written.
"""

import enum
from collections.abc import Sequence
from typing import Final, NoReturn

from maildrop.errors import PermanentError


class Misused(PermanentError):
    """The arguments say nothing that can be done."""


class Mode(enum.Enum):
    """What to do; the value is what follows ``-b``."""

    MESSAGE = "m"
    DIALOGUE = "s"
    LIST = "p"
    ALIASES = "i"
    FLUSH = "q"


#: Names by which it is called, and what they mean.
CALLED: Final = {
    "sendmail": Mode.MESSAGE,
    "mailq": Mode.LIST,
    "newaliases": Mode.ALIASES,
}
_MODES: Final = {
    "m": Mode.MESSAGE,
    "a": Mode.MESSAGE,
    "s": Mode.DIALOGUE,
    "p": Mode.LIST,
    "i": Mode.ALIASES,
}
_NOTIFY: Final = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_ENVELOPE_ID_MAX: Final = 100
#: Options that have an argument, in the same word or the next.
_ARGUMENT: Final = frozenset("ABCFLNORVXbefhopr")
#: Those of which only the rest of their word is the argument.
_ATTACHED: Final = frozenset("dqDMT")
_PLAIN: Final = frozenset("GIUimnstvx")


class Options:
    """What was asked for.

    Attributes:
        mode: What to do.
        recipients: As they were named; each may be a list.
        extract: Recipients are in the header, too.
        dots: A line with a dot ends the message.
        sender: The reverse path, empty for none; None if not said.
        name: The full name; None if not said.
        notify: When to report, in upper case; empty if not said.
        ret: FULL or HDRS, empty if not said.
        envelope_id: For reports, empty if not said.
        entry: The entry to be tried; empty for all.
        file: The configuration; None if not said.
        verbose: Tell what is done.
    """

    def __init__(self, mode: Mode = Mode.MESSAGE) -> None:
        self.mode = mode
        self.recipients: list[str] = []
        self.extract = False
        self.dots = True
        self.sender: str | None = None
        self.name: str | None = None
        self.notify: tuple[str, ...] = ()
        self.ret = ""
        self.envelope_id = ""
        self.entry = ""
        self.file: str | None = None
        self.verbose = False


def parse(arguments: Sequence[str], called: str = "sendmail") -> Options:
    """Read arguments.

    Args:
        arguments: Without the name of the program.
        called: Its name.

    Raises:
        Misused: They say nothing that can be done.
    """
    options = Options(CALLED.get(called, Mode.MESSAGE))
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            _misused(word)
        _word(options, word[1:], rest)
    options.recipients += rest
    return options


def _word(options: Options, letters: str, rest: list[str]) -> None:
    """One word of letters, the last of which may have an argument."""
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in _PLAIN:
            _plain(options, letter)
            continue
        if letter in _ARGUMENT:
            if not letters and not rest:
                raise Misused(f"option -{letter} wants an argument")
            _argument(options, letter, letters or rest.pop(0))
        elif letter in _ATTACHED:
            if letter == "q":
                _flush(options, letters)
        else:
            _misused(f"-{letter}")
        return


def _plain(options: Options, letter: str) -> None:
    match letter:
        case "t":
            options.extract = True
        case "i":
            options.dots = False
        case "v":
            options.verbose = True
        case "I":
            options.mode = Mode.ALIASES


def _argument(options: Options, letter: str, value: str) -> None:
    match letter:
        case "f" | "r":
            options.sender = value
        case "F":
            options.name = value
        case "N":
            options.notify = _reports(value)
        case "R":
            options.ret = _ret(value)
        case "V":
            options.envelope_id = _envelope_id(value)
        case "C":
            options.file = value
        case "b":
            options.mode = _mode(value)
        case "o" if value == "i":
            options.dots = False


def _mode(value: str) -> Mode:
    mode = _MODES.get(value)
    if mode is None:
        raise Misused(
            f"-b{value} is not done here"
            + ": the server is `twistd maildrop`" * (value in {"d", "D"})
        )
    return mode


def _flush(options: Options, value: str) -> None:
    """``-q``; with a time it would be a server, which runs otherwise."""
    options.mode = Mode.FLUSH
    if value.startswith("I"):
        options.entry = value[1:]
    elif value[:1].isdigit():
        raise Misused("-q with a time is not done here: the server tries by itself")


def _reports(value: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for word in value.upper().split(",")))
    if words != ("NEVER",) and not (words and _NOTIFY.issuperset(words)):
        raise Misused("-N is followed by never, or by some of success,failure,delay")
    return words


def _ret(value: str) -> str:
    if value.lower() not in {"full", "hdrs"}:
        raise Misused("-R is followed by full or hdrs")
    return value.upper()


def _envelope_id(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or len(value) > _ENVELOPE_ID_MAX:
        raise Misused("-V is followed by up to 100 printable characters")
    return value


def _misused(word: str) -> NoReturn:
    raise Misused(f"there is no option {word}")
