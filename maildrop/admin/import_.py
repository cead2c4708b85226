"""``maildrop import``: mail of files and of other servers into a user's mailboxes.

Exit status: 0 when all of it is there; else 65 with what could not be imported, or that
of the first error.  To run it again goes on where it stopped.

Security: passwords are read from a file, standard input or the terminal.
"""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

import click

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOUSER,
    EX_OK,
    EX_TEMPFAIL,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.admin.progress import Counted, counting
from maildrop.app import exchange
from maildrop.app.direct import Direct
from maildrop.app.schema import Configuration
from maildrop.errors import NoSuchUser, TemporaryError
from maildrop.mailbox.account import Account
from maildrop.mailbox.outside import Source
from maildrop.migration.connecting import Endpoint, Login, Security, endpoint
from maildrop.migration.imap_source import ImapSource
from maildrop.migration.importing import Imported, Importer

_SCHEMES: Final = {"imap": 143, "imaps": 993}
_COLUMNS: Final = ("source", "mailbox", "added", "before", "uids kept", "problem")


@dataclass(frozen=True, slots=True)
class _Server:
    """How servers among the sources are talked to."""

    password_file: Iterable[str] | None
    tls: str
    verify: bool
    pop3: str | None


@click.command("import")
@click.argument("user")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--mailbox",
    metavar="NAME",
    help="Import into this mailbox; if the source has several, each goes below it.",
)
@click.option(
    "--new-uids", is_flag=True, help="Keep no UIDs, even where that is possible."
)
@click.option(
    "--again", is_flag=True, help="Import once more what was imported before."
)
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="The password at the server in its first line, of further servers in the "
    "next; - is standard input. Without the option it is asked for.",
)
@click.option(
    "--tls",
    type=click.Choice([security.value for security in Security]),
    default="auto",
    help="TLS with the server: auto begins it with STARTTLS, and does without on "
    "loopback.",
)
@click.option("--no-verify", is_flag=True, help="Take any certificate.")
@click.option(
    "--pop3",
    metavar="HOST:PORT",
    help="POP3 of the same server: its unique ids are kept, so that POP3 clients fetch "
    "nothing twice.",
)
@json_option
@click.pass_obj
def import_(
    setting: Setting,
    user: str,
    sources: tuple[str, ...],
    mailbox: str | None,
    new_uids: bool,
    again: bool,
    password_file: Iterable[str] | None,
    tls: str,
    no_verify: bool,
    pop3: str | None,
    as_json: bool,
) -> int:
    """Import mail from each SOURCE into the mailboxes of USER.

    A SOURCE is an mbox file, a Maildir, a directory of such, or a server:
    imap://NAME@HOST:PORT/ or imaps://..., with the name of one mailbox behind the
    slash or none for all.
    """
    configuration = setting.reading().configuration
    direct = Direct(configuration)
    try:
        account = direct.account(user)
    except NoSuchUser as error:
        raise Failed(EX_NOUSER, str(error)) from error
    server = _Server(password_file, tls, not no_verify, pop3)
    importing = _Importing(configuration, direct, account)
    rows: list[list[object]] = []
    status = EX_OK
    with counting() as progress:
        for place in sources:
            with closing(_source(place, user, server, renamed=bool(mailbox))) as source:
                for imported in importing.run(
                    source, mailbox, progress, keep_uids=not new_uids, again=again
                ):
                    rows.append(_row(place, imported))
                    status = status or _status(imported)
                for name in source.passed_over:
                    click.echo(f"maildrop: {name!r} was passed over", err=True)
                    status = status or EX_DATAERR
    listing(_COLUMNS, rows, as_json=as_json)
    return status


def _row(place: str, imported: Imported) -> list[object]:
    problems = [*imported.remarks]
    if imported.error is not None:
        problems.append(str(imported.error))
    return [
        place,
        imported.mailbox,
        imported.added,
        imported.before,
        imported.keeps_uids,
        "; ".join(problems),
    ]


def _status(imported: Imported) -> int:
    if imported.error is None:
        return EX_OK
    return EX_TEMPFAIL if isinstance(imported.error, TemporaryError) else EX_DATAERR


@dataclass(frozen=True, slots=True)
class _Importing:
    """Imports for one user."""

    configuration: Configuration
    direct: Direct
    account: Account

    def run(
        self,
        source: Source,
        mailbox: str | None,
        progress: Counted,
        *,
        keep_uids: bool,
        again: bool,
    ) -> Iterator[Imported]:
        """Import one source."""
        name = self.account.name
        journal = exchange.journal(
            self.configuration, self.direct, source.identity, name, again=again
        )
        with closing(journal), self.direct.store(self.account) as store:
            importer = Importer(
                store,
                source,
                journal,
                self.direct.rights.as_root,
                progress,
                keep_uids=keep_uids,
            )
            yield from importer.run(
                mailbox or "",
                complete=source.whole and not mailbox,
            )


def _source(place: str, user: str, server: _Server, *, renamed: bool) -> Source:
    scheme, mark, _ = place.partition("://")
    if not mark:
        return exchange.files(place, user, renamed=renamed)
    if scheme not in _SCHEMES:
        raise Failed(EX_DATAERR, f"{place}: expected imap://NAME@HOST:PORT/")
    found, name, only = imap_url(place, server.tls, verify=server.verify)
    login = Login(name, _password(name, found, server.password_file))
    pop3 = None
    if server.pop3:
        security = Security(server.tls)
        pop3 = endpoint(server.pop3, 110, security, verify=server.verify)
    return ImapSource.at(found, login, pop3, only)


def imap_url(place: str, tls: str, *, verify: bool) -> tuple[Endpoint, str, str]:
    """Server, login name and mailbox of an imap URL (RFC 5092).

    Raises:
        Failed: It is none.
    """
    try:
        url = urlsplit(place)
        port = url.port or _SCHEMES[url.scheme]
    except ValueError as error:
        raise Failed(EX_DATAERR, f"{place}: {error}") from error
    if url.password is not None:
        raise Failed(
            EX_DATAERR,
            "a password on a command line can be read by everybody on this machine: "
            "leave it out of the URL, and use --password-file",
        )
    if not url.hostname or not url.username:
        raise Failed(EX_DATAERR, f"{place}: expected imap://NAME@HOST:PORT/")
    security = Security.IMPLICIT if url.scheme == "imaps" else Security(tls)
    server = Endpoint(url.hostname, port, security, verify)
    return server, unquote(url.username), unquote(url.path.strip("/"))


def _password(name: str, server: Endpoint, file: Iterable[str] | None) -> str:
    if file is None:
        asked: str = click.prompt(
            f"Password of {name} at {server}", hide_input=True, err=True
        )
        return asked
    line = next(itertools.islice(file, 1), "")
    if not line.rstrip("\r\n"):
        raise Failed(EX_DATAERR, f"no password for {server} in --password-file")
    return line.rstrip("\r\n")
