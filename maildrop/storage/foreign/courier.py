"""What courier-imap and courier-pop3d keep of a mailbox, all files together.

In this file:
    read_maildir    the facts of a Maildir

File names hold flags, as with everybody; keywords are kept by message.  POP3 gives its
unique ids out of numbers of its own, which go on for new messages behind those that
are given: ``UIDn-v`` becomes the mailbox's form.

A Maildir that only POP3 ever served has no UIDs: its messages get some in the order in
which POP3 lists them.

``courierimapacl`` and ``courierimaphieracl`` are not read: nobody else has access here.
"""

import os
import re
from typing import Final

from maildrop.durable import translated
from maildrop.storage.foreign import courier_files as files
from maildrop.storage.foreign.courier_files import SizeList
from maildrop.storage.foreign.facts import Facts, octets_of

UIDL_FORM: Final = b"UID%u-%v"
_UPDATE: Final = re.compile(rb"\.(\d{1,19})\.(.+)\Z", re.DOTALL)
#: Longest file of one message's keywords, in octets.
_UPDATE_MAX: Final = 1 << 16
#: Most of them that are read.
_UPDATES_MAX: Final = 1_000_000


def read_maildir(path: str) -> Facts | None:
    """The facts of a Maildir; None when Courier was never there.

    Raises:
        Unreadable: A file of Courier's is damaged.
    """
    uids = octets_of(f"{path}/{files.UIDS}")
    sizes = octets_of(f"{path}/{files.SIZES}")
    if uids is None and sizes is None:
        return None
    facts = Facts("courier")
    sized = None
    if sizes is not None:
        sized = files.parse_sizes(sizes, f"{path}/{files.SIZES}")
    if uids is not None:
        known = files.parse_uids(uids, f"{path}/{files.UIDS}")
        facts.uid_validity, facts.uid_next = known.uid_validity, known.uid_next
        facts.uids.update(known.uids)
    elif sized is not None:
        facts.uids.update((m.name, uid) for uid, m in enumerate(sized.messages, 1))
        facts.uid_next = len(facts.uids) + 1
        facts.remarks.append("IMAP never served it: UIDs are new")
    if sized is not None:
        _take_sizes(facts, sized)
    _take_keywords(facts, path)
    return facts


def _take_sizes(facts: Facts, sized: SizeList) -> None:
    shift = max(0, sized.next_number - facts.uid_next)
    if sized.validity:
        facts.uidl_form, facts.uidl_validity = UIDL_FORM, sized.validity
        facts.uidl_shift = shift
    for message in sized.messages:
        # One that IMAP has not seen yet comes next.
        uid = facts.uids.get(message.name)
        if uid is None:
            uid = facts.uids[message.name] = facts.uid_next
            facts.uid_next += 1
        facts.uidls[uid] = message.unique_id
    # All numbers above are used up, by whatever had them.
    facts.uidl_shift = max(shift, sized.next_number - facts.uid_next, 0)


def _take_keywords(facts: Facts, path: str) -> None:
    directory = f"{path}/{files.KEYWORDS}"
    listed = octets_of(f"{directory}/{files.KEYWORD_LIST}")
    keywords: dict[bytes, tuple[str, ...]] = {}
    if listed is not None:
        name = f"{directory}/{files.KEYWORD_LIST}"
        keywords = files.parse_keywords(listed, name)
    for name_of_message, file in _updates(directory).items():
        octets = octets_of(os.path.join(directory, os.fsdecode(file)), _UPDATE_MAX)
        if octets is not None:
            keywords[name_of_message] = files.keyword_lines(octets)
    for name_of_message, uid in facts.uids.items():
        facts.keywords[uid] = keywords.get(name_of_message, ())


def _updates(directory: str) -> dict[bytes, bytes]:
    """The newest file that a message has in ``courierimapkeywords/``."""
    try:
        with translated(f"list {directory}"):
            listed = os.listdir(os.fsencode(directory))[:_UPDATES_MAX]
    except FileNotFoundError:
        return {}
    newest: dict[bytes, tuple[float, bytes]] = {}
    for file in listed:
        if file == files.KEYWORD_LIST.encode():
            continue
        numbered = _UPDATE.match(file)
        name = numbered[2] if numbered else file
        age = float(numbered[1]) if numbered else float("inf")
        if name not in newest or age > newest[name][0]:
            newest[name] = age, file
    return {name: file for name, (_, file) in newest.items()}
