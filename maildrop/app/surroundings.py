"""What the machine has to say about a configuration: files, accounts, ports.

In this file:
    look    adds to a reading what does not fit this machine

Problems that would stop maildrop or make it useless are fatal; what is merely doubtful
is a warning.  Nothing is changed and nothing is opened for good.
"""

import contextlib
import os
import pwd

from maildrop.app import endpoints
from maildrop.app.config import Reading
from maildrop.app.kinds import Unfit
from maildrop.app.privileges import account_identity
from maildrop.app.schema_relay import Relay, Route
from maildrop.app.toml_lines import KeyPath
from maildrop.errors import ConfigurationError

#: Protocols in which users log in.
_LOGIN = frozenset({"imap", "pop3", "submission"})


def look(reading: Reading, effective_uid: int) -> None:
    """Add to ``reading.problems`` what does not fit this machine.

    Args:
        reading: A configuration.  Of a file that is none nothing is looked at, nor of
            a key that has a problem already: its value is not what was meant.
        effective_uid: Who would run it.
    """
    if any(not problem.key for problem in reading.problems):
        return
    told = {problem.key for problem in reading.problems}
    before = len(reading.problems)
    _look(reading, effective_uid)
    reading.problems[before:] = [
        problem for problem in reading.problems[before:] if problem.key not in told
    ]
    reading.problems.sort(key=lambda problem: problem.line)


def _look(reading: Reading, effective_uid: int) -> None:
    configuration = reading.configuration
    _account(reading, effective_uid)
    _file(
        reading,
        ("users", "passwd"),
        configuration.users.passwd,
        "make it with `maildrop user add NAME`",
    )
    for path in configuration.delivery.aliases:
        _file(reading, ("delivery", "aliases"), path, "make it or leave it out")
    for path in configuration.delivery.virtual:
        _file(reading, ("delivery", "virtual"), path, "make it or leave it out")
    _relays(reading)
    _state(reading, effective_uid)
    _pair(reading)
    for at in range(len(configuration.listen)):
        _listen(reading, at)
    if configuration.mail.location == "memory:":
        reading.problem(
            ("mail", "location"), "memory: loses all mail at the end", fatal=False
        )


def _account(reading: Reading, effective_uid: int) -> None:
    name = reading.configuration.user
    if effective_uid != 0 or name.isdigit():
        return
    try:
        pwd.getpwnam(name)
    except KeyError:
        reading.problem(
            ("user",),
            f'the system has no account "{name}", which maildrop works as when it is '
            "started as root",
            f"make it: useradd --system --home-dir {reading.configuration.state} "
            f"--shell /usr/sbin/nologin {name}",
        )
    name = reading.configuration.delivery.default_user
    try:
        account_identity(name)
    except ConfigurationError as error:
        reading.problem(
            ("delivery", "default_user"), str(error), "name one that may do nothing"
        )


def _file(reading: Reading, key: KeyPath, path: str, proposal: str) -> None:
    if os.path.isdir(path):
        reading.problem(key, f"{path} is a directory")
    elif not os.path.exists(path):
        reading.problem(key, f"{path} does not exist", proposal)
    elif not os.access(path, os.R_OK):
        reading.problem(key, f"{path} cannot be read by {_who()}")


def _relays(reading: Reading) -> None:
    """Files that are needed to talk to other servers."""
    configuration = reading.configuration
    sections: list[tuple[KeyPath, Relay | Route]] = [(("relay",), configuration.relay)]
    sections += [(("route", at), each) for at, each in enumerate(configuration.route)]
    for path, section in sections:
        if section.ca:
            _file(reading, (*path, "ca"), section.ca, "leave it out for the system's")
        if section.password_file:
            key = (*path, "password_file")
            _file(reading, key, section.password_file, "make it, with mode 600")
            with contextlib.suppress(OSError):
                if os.stat(section.password_file).st_mode & 0o077:
                    what = f"{section.password_file} can be read by others"
                    reading.problem(key, what, "chmod 600", fatal=False)


def _who() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _state(reading: Reading, effective_uid: int) -> None:
    state = reading.configuration.state
    if os.path.isdir(state):
        if effective_uid != 0 and not os.access(state, os.W_OK | os.X_OK):
            reading.problem(("state",), f"{state} cannot be written by {_who()}")
        return
    if os.path.exists(state):
        reading.problem(("state",), f"{state} is no directory")
        return
    above = os.path.dirname(state)
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK | os.X_OK):
        reading.problem(
            ("state",),
            f"{state} does not exist and {_who()} cannot make it",
            f"make it, or set state to a directory of {_who()}'s",
        )


def _pair(reading: Reading) -> None:
    tls = reading.configuration.tls
    there = os.path.lexists(tls.certificate), os.path.lexists(tls.key)
    if there == (True, True):
        for name, path in (("certificate", tls.certificate), ("key", tls.key)):
            _file(reading, ("tls", name), path, "is it a broken link?")
    elif any(there):
        name = "key" if there[0] else "certificate"
        path = tls.key if there[0] else tls.certificate
        reading.problem(
            ("tls", name),
            f"{path} does not exist, the other file of the pair does",
            "put it there, or take the other away to have a pair made",
        )


def _listen(reading: Reading, at: int) -> None:
    listen = reading.configuration.listen[at]
    try:
        place = endpoints.parse(listen.endpoint)
    except Unfit:
        return
    above = os.path.dirname(place.path)
    if place.path and not os.path.isdir(above):
        if above != reading.configuration.state:  # which is made when missing
            reading.problem(
                ("listen", at, "endpoint"), f"the directory {above} does not exist"
            )
        return
    if place.local or listen.protocol not in _LOGIN or listen.tls != "none":
        if listen.protocol == "lmtp" and not place.local:
            reading.problem(
                ("listen", at, "endpoint"),
                "lmtp on a network takes mail from whoever reaches the port",
                "add :interface=127.0.0.1 or see that a firewall is before it",
                fatal=False,
            )
        return
    if reading.configuration.auth.cleartext == "tls":
        reading.problem(
            ("listen", at, "tls"),
            'without TLS nobody can log in from elsewhere (auth.cleartext is "tls")',
            'write tls = "starttls"',
            fatal=False,
        )
    else:
        reading.problem(
            ("listen", at, "tls"), "passwords cross the network readable", fatal=False
        )
