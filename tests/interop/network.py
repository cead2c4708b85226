"""A network of its own: ports 25 and 53 are free, and names mean what they shall.

In this file:
    Network    addresses, a DNS server with its zones, and how to run programs there

It is a network namespace with nothing but a loopback interface, which has all the
addresses, and a mount namespace whose ``resolv.conf`` names the DNS server: that of
twisted.names, as ``twistd dns`` runs it.  Files and UNIX sockets are shared with
everybody.

Needs root, unshare(1) and nsenter(1) of util-linux, and ip(8).
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tests.interop.server import BIN, PATIENCE, until

#: Where the DNS is served.
RESOLVER: Final = "192.0.2.53"


class Network:
    """A network.

    Args:
        addresses: Of all hosts there.
        zones: What the DNS says: by domain the records, as ``twistd dns --pyzone``
            has them.
    """

    def __init__(self, addresses: Sequence[str], zones: Mapping[str, str]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="network-test-"))
        self._addresses = (*addresses, RESOLVER)
        self._zones = zones
        self._holder: subprocess.Popen[bytes] | None = None
        self._dns: subprocess.Popen[bytes] | None = None

    @property
    def wrapper(self) -> Sequence[str]:
        """What runs a command there."""
        assert self._holder is not None
        return ["/usr/bin/nsenter", "--net", "--mount", "-t", str(self._holder.pid)]

    def run(self, *command: object) -> None:
        """Run a command there."""
        subprocess.run(
            [*self.wrapper, *map(str, command)],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            ["/usr/bin/unshare", "--net", "--mount", "/bin/sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.read(1) == b"\n"  # it is there
        self.run("ip", "link", "set", "lo", "up")
        for address in self._addresses:
            self.run("ip", "address", "add", address, "dev", "lo")
        conf = self.directory / "resolv.conf"
        conf.write_text(f"nameserver {RESOLVER}\n")
        self.run("mount", "--bind", conf, "/etc/resolv.conf")
        with (self.directory / "log").open("wb") as log:
            self._dns = subprocess.Popen(
                [*self.wrapper, *self._dns_command()],
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        until(lambda: b"DNSDatagramProtocol starting" in self._log(), "the DNS")
        return self

    def _dns_command(self) -> list[str]:
        command = [f"{BIN}/twistd", "-n", "--pidfile=", "dns", "-p", "53"]
        command += ["-i", RESOLVER]
        for domain, records in self._zones.items():
            path = self.directory / domain
            soa = f'SOA("{domain}", serial=1, ttl=60, minimum=60)'
            path.write_text(f"zone = [{soa}, {records}]\n")
            command += ["--pyzone", str(path)]
        return command

    def _log(self) -> bytes:
        return (self.directory / "log").read_bytes()

    def __exit__(self, *_: object) -> None:
        for process in (self._dns, self._holder):
            if process is not None:
                process.kill()
                process.communicate()
        shutil.rmtree(self.directory)
