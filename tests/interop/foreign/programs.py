"""What other people's programs do to a Maildir and to an mbox, one method each.

In this file:
    Programs           those that know both formats
    MaildirPrograms    on a Maildir
    MboxPrograms       on an mbox

All of them run as the user whom the mail belongs to, in that user's home.  Those that
do not lock an mbox themselves get ``lockfile`` (procmail's) around them.
"""

import contextlib
import os
import pty
import shlex
import subprocess
from pathlib import Path
from typing import Final

from tests.interop.server import PATIENCE, until

UID: Final = 65534
LDA: Final = "/usr/lib/dovecot/dovecot-lda"
_MUTT: Final = """
set quit=yes delete=yes move=no record="" sort=mailbox-order confirmappend=no
set wait_key=no sleep_time=0 folder={home} mbox_type={kind} maildir_trash=no
unset mark_old
push "{keys}"
"""


class Programs:
    """Runs programs for one user.

    Args:
        home: The user's home.
        inbox: The Maildir or mbox.
        kind: As mutt and Dovecot call it.
    """

    def __init__(self, home: Path, inbox: Path, kind: str) -> None:
        self.home = home
        self.inbox = inbox
        self._kind = kind
        self._environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LOGNAME": "nobody",
            "MAIL": str(inbox),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "TERM": "xterm",
            "TMPDIR": str(home),
            "USER": "nobody",
        }

    def file(self, name: str, text: str) -> Path:
        """Write a file in the home."""
        path = self.home / name
        path.write_text(text)
        os.chown(path, UID, UID)
        return path

    def run(self, *command: object, given: bytes = b"") -> bytes:
        """Run a program to its end."""
        ended = subprocess.run(
            [str(word) for word in command],
            input=given,
            capture_output=True,
            cwd=self.home,
            env=self._environment,
            timeout=PATIENCE,
            user=UID,
            group=UID,
            extra_groups=[],
            check=False,
        )
        assert ended.returncode == 0, (command, ended)
        return ended.stdout

    def shell(self, script: str, **values: object) -> None:
        """Run a piece of shell with quoted values put in."""
        quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
        self.run("sh", "-euc", script.format(**quoted))

    # -- those that know both formats

    def procmail(self, octets: bytes) -> None:
        """Deliver."""
        slash, lock = ("/", "") if self._kind == "maildir" else ("", ":")
        rc = self.file("procmailrc", f":0{lock}\n{self.inbox}{slash}\n")
        self.run("procmail", "-f", "other@elsewhere.example", rc, given=octets)

    def dovecot(self, octets: bytes) -> None:
        """Deliver with Dovecot's own agent, which keeps its numbers in an mbox."""
        inbox = f"{self.home}/mail:INBOX={self.inbox}"
        where = self.inbox if self._kind == "maildir" else inbox
        rc = self.file(
            "dovecot.conf",
            f"mail_location = {self._kind}:{where}\nlog_path = /dev/stderr\n"
            "postmaster_address = postmaster@example.org\n"
            "mbox_write_locks = fcntl dotlock\n",
        )
        self.run(LDA, "-c", rc, "-e", "-f", "a@example.org", given=octets)

    def mutt(self, program: str, subject: str, keys: str) -> None:
        """Do something to the message with a subject, then write and leave."""
        keys = (
            f'<tag-pattern>~s \\"^{subject}$\\"<enter>'
            f"<tag-prefix-cond>{keys}<end-cond><quit>"
        )
        kind = "Maildir" if self._kind == "maildir" else "mbox"
        text = _MUTT.format(home=self.home, kind=kind, keys=keys)
        rc = self.file("muttrc", text)
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [program, "-n", "-F", rc, "-f", self.inbox],
            stdin=its,
            stdout=its,
            stderr=its,
            cwd=self.home,
            env=self._environment,
            start_new_session=True,
            user=UID,
            group=UID,
            extra_groups=[],
        )
        os.close(its)
        painted = bytearray()
        os.set_blocking(ours, False)

        def ended() -> bool:
            with contextlib.suppress(OSError):  # nothing yet, or it has gone
                painted.extend(os.read(ours, 1 << 16))
            return process.poll() is not None

        try:
            until(ended, program)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        assert process.returncode == 0, (program, bytes(painted[-3000:]))


class MaildirPrograms(Programs):
    """On a Maildir; a message is a file."""

    def __init__(self, home: Path, inbox: Path) -> None:
        super().__init__(home, inbox, "maildir")

    def sed(self, path: Path, old: str, new: str) -> None:
        """Edit a message."""
        self.run("sed", "-i", f"s/{old}/{new}/", path)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a message short."""
        self.run("truncate", "-s", size, path)

    def move(self, path: Path, target: Path) -> None:
        """Rename a message."""
        self.run("mv", "-n", path, target)

    def copy(self, path: Path, target: Path, *, keep_times: bool = True) -> None:
        """Copy a message, to a backup or from one."""
        self.run("cp", *(["-p"] if keep_times else []), path, target)

    def remove(self, path: Path) -> None:
        """Delete a message."""
        self.run("rm", path)


class MboxPrograms(Programs):
    """On an mbox; what does not lock it gets a lock around it."""

    def __init__(self, home: Path, inbox: Path) -> None:
        super().__init__(home, inbox, "mbox")

    def _locked(self, script: str, **values: object) -> None:
        script = (
            "lockfile -1 -r 20 {inbox}.lock; trap 'rm -f {inbox}.lock' EXIT; " + script
        )
        self.shell(script, inbox=self.inbox, **values)

    def append(self, octets: bytes) -> None:
        """What cron jobs and scripts do."""
        self.file("message", octets.decode())
        self._locked("cat message >> {inbox}")

    def snail(self, *commands: str) -> None:
        """Read the mbox with s-nail."""
        given = "\n".join([*commands, "quit", ""]).encode()
        self.run(
            *("s-nail", "-:/", "-#", "-S", "hold", "-S", "emptystart"),
            *("-f", self.inbox),
            given=given,
        )

    def formail(self) -> None:
        """Take away messages that are there twice, by their Message-ID."""
        self._locked(
            "rm -f ids; formail -Y -D 65536 ids -s < {inbox} > new || true;"
            " cat new > {inbox}"
        )

    def sed(self, old: str, new: str) -> None:
        """Edit messages."""
        self._locked("sed -i {change} {inbox}", change=f"s/{old}/{new}/")

    def truncate(self, size: int) -> None:
        """Cut the file short."""
        self._locked("truncate -s {size} {inbox}", size=size)

    def unix2dos(self) -> None:
        """Give it CRLF line ends."""
        self._locked("sed -i 's/\\r*$/\\r/' {inbox}")

    def back_up(self, target: Path) -> None:
        """Copy the file to a backup."""
        self._locked("cp -p {inbox} {target}", target=target)

    def restore(self, source: Path, *, in_place: bool) -> None:
        """Put a backup back."""
        if in_place:
            self._locked("cp {source} {inbox}", source=source)
        else:
            self._locked(
                "cp -p {source} {inbox}.new; mv {inbox}.new {inbox}", source=source
            )
