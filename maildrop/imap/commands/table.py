"""Every command and the rule it is held to: the table that a new one is entered in."""

from typing import Final

from maildrop.imap.commands.append import append
from maildrop.imap.commands.authenticate import authenticate
from maildrop.imap.commands.capability import capability
from maildrop.imap.commands.check import check
from maildrop.imap.commands.close import close
from maildrop.imap.commands.copy import copy
from maildrop.imap.commands.create import create
from maildrop.imap.commands.delete import delete
from maildrop.imap.commands.enable import enable
from maildrop.imap.commands.expunge import expunge
from maildrop.imap.commands.fetch import fetch, fetch_at_once
from maildrop.imap.commands.id_ import id_
from maildrop.imap.commands.idle import idle
from maildrop.imap.commands.list_ import list_
from maildrop.imap.commands.login import login
from maildrop.imap.commands.logout import logout
from maildrop.imap.commands.lsub import lsub
from maildrop.imap.commands.move import move
from maildrop.imap.commands.namespace import namespace
from maildrop.imap.commands.noop import noop
from maildrop.imap.commands.rename import rename
from maildrop.imap.commands.search import search
from maildrop.imap.commands.select import select
from maildrop.imap.commands.starttls import starttls
from maildrop.imap.commands.status import status
from maildrop.imap.commands.store import store
from maildrop.imap.commands.subscribe import subscribe
from maildrop.imap.commands.unselect import unselect
from maildrop.imap.commands.unsubscribe import unsubscribe
from maildrop.imap.states import (
    ANY,
    AUTHENTICATED,
    NOT_AUTHENTICATED,
    SELECTED,
    News,
    Rule,
)
from maildrop.imap.wire import (
    append as wire_append,
    authenticate as wire_authenticate,
    capability as wire_capability,
    check as wire_check,
    close as wire_close,
    copy as wire_copy,
    create as wire_create,
    delete as wire_delete,
    enable as wire_enable,
    expunge as wire_expunge,
    fetch as wire_fetch,
    id_ as wire_id,
    idle as wire_idle,
    list_ as wire_list,
    login as wire_login,
    logout as wire_logout,
    lsub as wire_lsub,
    move as wire_move,
    namespace as wire_namespace,
    noop as wire_noop,
    rename as wire_rename,
    search as wire_search,
    select as wire_select,
    starttls as wire_starttls,
    status as wire_status,
    store as wire_store,
    subscribe as wire_subscribe,
    unselect as wire_unselect,
    unsubscribe as wire_unsubscribe,
)

COMMANDS: Final[dict[type, Rule]] = {
    # RFC 3501 section 6.1: any state.
    wire_capability.Capability: Rule(capability, ANY),
    wire_noop.Noop: Rule(noop, ANY, News.FRESH),
    wire_logout.Logout: Rule(logout, ANY),
    wire_id.Id: Rule(id_, ANY),
    # Section 6.2: not authenticated.
    wire_starttls.Starttls: Rule(starttls, NOT_AUTHENTICATED),
    wire_authenticate.Authenticate: Rule(authenticate, NOT_AUTHENTICATED),
    wire_login.Login: Rule(login, NOT_AUTHENTICATED),
    # Section 6.3: authenticated.
    wire_append.Append: Rule(append, AUTHENTICATED),
    wire_create.Create: Rule(create, AUTHENTICATED),
    wire_delete.Delete: Rule(delete, AUTHENTICATED),
    wire_enable.Enable: Rule(enable, AUTHENTICATED),
    wire_idle.Idle: Rule(idle, AUTHENTICATED),
    wire_list.List: Rule(list_, AUTHENTICATED),
    wire_lsub.Lsub: Rule(lsub, AUTHENTICATED),
    wire_namespace.Namespace: Rule(namespace, AUTHENTICATED),
    wire_rename.Rename: Rule(rename, AUTHENTICATED),
    wire_select.Select: Rule(select, AUTHENTICATED, News.NONE),
    wire_status.Status: Rule(status, AUTHENTICATED),
    wire_subscribe.Subscribe: Rule(subscribe, AUTHENTICATED),
    wire_unsubscribe.Unsubscribe: Rule(unsubscribe, AUTHENTICATED),
    # Section 6.4: selected.
    wire_check.Check: Rule(check, SELECTED, News.FRESH),
    wire_close.Close: Rule(close, SELECTED),
    wire_copy.Copy: Rule(copy, SELECTED),
    wire_expunge.Expunge: Rule(expunge, SELECTED, News.KNOWN),
    wire_fetch.Fetch: Rule(fetch, SELECTED, at_once=fetch_at_once),
    wire_move.Move: Rule(move, SELECTED),
    wire_search.Search: Rule(search, SELECTED),
    wire_store.Store: Rule(store, SELECTED),
    wire_unselect.Unselect: Rule(unselect, SELECTED),
}
