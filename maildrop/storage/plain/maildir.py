r"""A Maildir as a source of messages.

In this file:
    MaildirSource    see ``mailbox.outside.SourceMailbox``
    is_maildir       whether a directory looks like one
    with_crlf        the message that stands in a file
    with_lf          the other way

Flags are the letters of the names, keywords those that ``dovecot-keywords`` names,
INTERNALDATE is the time of the file, as Dovecot, Courier and maildrop have it.  Nothing
is moved from new/ to cur/.

A message is known by its base name, which stays the same whatever happens to its flags.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import Content, open_to_read, translate, translated
from maildrop.errors import StorageFailure
from maildrop.mailbox.outside import Outside, OutsideNumbers
from maildrop.storage.maildir.keywords import named_letters
from maildrop.storage.maildir.names import FORWARDED, Letters, base_of, order

#: Longest message that is read, in octets: all of it has to go into memory.
MESSAGE_MAX: Final = 1 << 29


def is_maildir(path: str) -> bool:
    """Whether a directory has the parts of a Maildir."""
    return all(os.path.isdir(f"{path}/{part}") for part in ("cur", "new"))


class MaildirSource:
    """One Maildir, or one folder of it.

    Args:
        path: The directory that has cur/ and new/.
        name: The mailbox it is.
    """

    numbers: OutsideNumbers | None = None

    def __init__(self, path: str, name: str, special_use: tuple[str, ...] = ()) -> None:
        self.name = name
        self.special_use = special_use
        self._path = path
        self._listed: dict[bytes, str] | None = None

    def _files(self) -> dict[bytes, str]:
        """Paths by base name, new/ first: files go from there to cur/."""
        found: dict[bytes, str] = {}
        for part in ("new", "cur"):
            directory = f"{self._path}/{part}"
            with translated(f"list {directory}"), os.scandir(directory) as listed:
                for entry in listed:
                    if not entry.name.startswith("."):
                        base = base_of(os.fsencode(entry.name))
                        found[base] = entry.path
        return found

    @property
    def messages(self) -> int:
        """How many files there are."""
        if self._listed is None:
            self._listed = self._files()
        return len(self._listed)

    def read(self, wanted: Callable[[bytes], bool]) -> Iterator[Outside]:
        """The messages, in the order of their names' times.

        Raises:
            StorageFailure, AccessDenied: They cannot be read.
        """
        names = [*named_letters(self._path), FORWARDED]
        letters = Letters(names)
        self._listed = files = self._files()
        for base in sorted(files, key=order):
            if not wanted(base):
                yield Outside(base, Content.of(b""))
                continue
            found = self._octets(files, base)
            if found is None:
                continue
            octets, date = found
            flags, bits, _ = letters.parse(os.fsencode(files[base]), 0)
            yield Outside(base, Content.of(octets), flags, _names_of(names, bits), date)

    def _octets(self, files: dict[bytes, str], base: bytes) -> tuple[bytes, int] | None:
        """A message and its date; None when it is gone, or is no file."""
        for _ in range(2):
            try:
                with open(open_to_read(files[base]), "rb") as file:
                    facts = os.fstat(file.fileno())
                    if facts.st_size > MESSAGE_MAX:
                        text = f"{files[base]} is larger than {MESSAGE_MAX} octets"
                        raise StorageFailure(text)
                    return with_crlf(file.read()), int(facts.st_mtime)
            except FileNotFoundError:  # its flags changed, and so its name
                files.update(self._files())
            except OSError as error:
                raise translate(error, f"read {files[base]}") from error
        return None


def _names_of(names: Sequence[str], bits: int) -> tuple[str, ...]:
    return tuple(name for n, name in enumerate(names) if bits >> n & 1)


def with_lf(octets: bytes) -> bytes:
    """What to write for a message: LF line ends, unless that could not be undone."""
    kept = octets.replace(b"\r\n", b"\n")
    return kept if with_crlf(kept) == octets else octets


def with_crlf(octets: bytes) -> bytes:
    """The message that stands in a file, CRLF line ends.

    A file in which every line ends with CRLF is the message as it is; in any other a
    line may end either way.
    """
    if octets.count(b"\r\n") == octets.count(b"\n"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
