"""``newaliases``: the files of aliases are read as they are; says what is in them."""

import sys

from maildrop.app.addresses import Addresses
from maildrop.app.config import find, load
from maildrop.sendmail.options import Options


def run(options: Options) -> int:
    """Count the aliases of each file; gives the exit status.

    Args:
        options: The command line of sendmail.

    Raises:
        ConfigurationError: There is no configuration that can be used.
        StorageFailure: A file cannot be read.
    """
    counts: dict[str, int] = {}
    configuration = load(find(options.file)).configuration
    delivery = configuration.delivery
    for path in (*delivery.virtual, *delivery.aliases):
        counts[path] = 0
    for named in Addresses(configuration).all():
        counts[named.file] += 1
    for path, count in counts.items():
        sys.stdout.write(f"{path}: {count} aliases\n")
    return 0
