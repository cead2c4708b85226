"""A server without a configuration file, for a trial: all on loopback.

In this file:
    TRIAL_PORTS      the options that name ports, with protocol and TLS
    configuration    what such options come to
"""

import os
from collections.abc import Mapping
from typing import Final

from maildrop.app.config import Problem, Reading, Unusable, parse
from maildrop.app.reference import toml

#: Option -> protocol and TLS.
TRIAL_PORTS: Final[Mapping[str, tuple[str, str]]] = {
    "imap": ("imap", "starttls"),
    "imaps": ("imap", "implicit"),
    "pop3": ("pop3", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "smtp": ("smtp", "starttls"),
    "submission": ("submission", "starttls"),
    "lmtp": ("lmtp", "none"),
}


def configuration(options: Mapping[str, str | None], state: str) -> Reading:
    """The configuration that the options stand for.

    Users with a uid have their files touched with it when root tries this; all else is
    done as whoever tries.

    Args:
        options: ``passwd``, ``location``, ``domain`` and those of ``TRIAL_PORTS``.
        state: A directory.

    Raises:
        Unusable: An option cannot be used.
    """
    lines = [
        f"state = {toml(state)}",
        'user = "root"',
        "[users]",
        f"passwd = {toml(os.path.abspath(options['passwd'] or ''))}",
        "[mail]",
    ]
    if options.get("location"):
        lines.append(f"location = {toml(options['location'])}")
    if options.get("domain"):
        domains = (options["domain"] or "").split(",")
        lines.append(f"domains = {toml(domains)}")
    for option, (protocol, tls) in TRIAL_PORTS.items():
        if options.get(option) is not None:
            lines += [
                "[[listen]]",
                f"protocol = {toml(protocol)}",
                f"endpoint = {toml(f'tcp:{options[option]}:interface=127.0.0.1')}",
                f"tls = {toml(tls)}",
            ]
    if "[[listen]]" not in lines:
        what = "names no port"
        ports = ", ".join(f"--{option} PORT" for option in TRIAL_PORTS)
        raise Unusable([Problem("command line", 0, "", what, f"give {ports}")])
    reading = parse("\n".join(lines), os.path.abspath("command line"))
    reading.file, reading.lines = "command line", {}
    if reading.fatal:
        # Lines of a file that nobody wrote help nobody.
        raise Unusable(
            [
                Problem("command line", 0, each.key, each.what, each.proposal)
                for each in reading.problems
            ]
        )
    return reading
