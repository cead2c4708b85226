"""Every IMAP command there is: the one table that a new one is entered in.

In this file:
    Command     the union of their classes
    COMMANDS    name -> what reads the arguments; UID and what follows it is one name
    STREAMED    those whose last literal does not wait for the end of the command
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from maildrop.imap.wire import (
    append,
    authenticate,
    capability,
    check,
    close,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    id_,
    idle,
    list_,
    login,
    logout,
    lsub,
    move,
    namespace,
    noop,
    rename,
    search,
    select,
    starttls,
    status,
    store,
    subscribe,
    unselect,
    unsubscribe,
)
from maildrop.imap.wire.arguments import Arguments

Command: TypeAlias = (
    append.Append
    | authenticate.Authenticate
    | capability.Capability
    | check.Check
    | close.Close
    | copy.Copy
    | create.Create
    | delete.Delete
    | enable.Enable
    | expunge.Expunge
    | fetch.Fetch
    | id_.Id
    | idle.Idle
    | list_.List
    | login.Login
    | logout.Logout
    | lsub.Lsub
    | move.Move
    | namespace.Namespace
    | noop.Noop
    | rename.Rename
    | search.Search
    | select.Select
    | starttls.Starttls
    | status.Status
    | store.Store
    | subscribe.Subscribe
    | unselect.Unselect
    | unsubscribe.Unsubscribe
)

COMMANDS: Final[dict[bytes, Callable[[bytes, Arguments], Command]]] = {
    b"APPEND": append.parse,
    b"AUTHENTICATE": authenticate.parse,
    b"CAPABILITY": capability.parse,
    b"CHECK": check.parse,
    b"CLOSE": close.parse,
    b"COPY": copy.parse,
    b"CREATE": create.parse,
    b"DELETE": delete.parse,
    b"ENABLE": enable.parse,
    b"EXAMINE": select.examine,
    b"EXPUNGE": expunge.parse,
    b"FETCH": fetch.parse,
    b"ID": id_.parse,
    b"IDLE": idle.parse,
    b"LIST": list_.parse,
    b"LOGIN": login.parse,
    b"LOGOUT": logout.parse,
    b"LSUB": lsub.parse,
    b"MOVE": move.parse,
    b"NAMESPACE": namespace.parse,
    b"NOOP": noop.parse,
    b"RENAME": rename.parse,
    b"SEARCH": search.parse,
    b"SELECT": select.parse,
    b"STARTTLS": starttls.parse,
    b"STATUS": status.parse,
    b"STORE": store.parse,
    b"SUBSCRIBE": subscribe.parse,
    b"UID COPY": copy.uid,
    b"UID EXPUNGE": expunge.uid,
    b"UID FETCH": fetch.uid,
    b"UID MOVE": move.uid,
    b"UID SEARCH": search.uid,
    b"UID STORE": store.uid,
    b"UNSELECT": unselect.parse,
    b"UNSUBSCRIBE": unsubscribe.parse,
}

STREAMED: Final = frozenset({b"APPEND"})
