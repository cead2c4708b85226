"""Programs of others on the mail of connected clients: nothing lost, nothing doubled.

mutt, neomutt, procmail, formail, s-nail, Dovecot's LDA, mv, cp, sed, truncate and shell
scripts work on the same Maildir and mbox as IMAP, POP3 and LMTP; see ``machine``.

``MAILDROP_FOREIGN_SECONDS`` makes it run for so long on each format instead of once;
``MAILDROP_FOREIGN_SEED`` says which seed comes first.
"""

import itertools
import os
import time
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.interop.foreign.machine import Together
from tests.interop.foreign.maildir import MaildirTogether
from tests.interop.foreign.mbox import MboxTogether
from tests.interop.foreign.programs import UID
from tests.interop.server import Server, User

SECONDS: Final = float(os.environ.get("MAILDROP_FOREIGN_SECONDS", "0"))
SEED: Final = int(os.environ.get("MAILDROP_FOREIGN_SEED", "1"))
#: More than any run takes.
USERS: Final = 2000
SETTINGS: Final = settings(
    max_examples=2,
    stateful_step_count=16 if SECONDS else 10,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("machine", [MaildirTogether, MboxTogether])
def test_other_programs_and_ours_together(machine: type[Together]) -> None:
    everybody = [User(f"u{n}", machine.kind, uid=UID) for n in range(USERS)]
    with Server(users=everybody) as running:
        end = time.monotonic() + SECONDS

        class OnServer(machine):  # type: ignore[misc, valid-type]
            server = running
            users = iter(everybody)

        for number in itertools.count(SEED):
            try:
                run_state_machine_as_test(seed(number)(OnServer), settings=SETTINGS)
            except BaseException as error:
                error.add_note(f"seed {number}")
                raise
            if time.monotonic() >= end:
                break
