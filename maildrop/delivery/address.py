"""Addresses as delivery compares them.

In this file:
    canonical_domain    a domain in the form in which two of them compare equal
    split_detail        ``user+detail`` into user and detail

An address itself is a ``smtp.wire.path.Path``: what the client wrote.  RFC 5321 section
2.4: domains do not tell upper from lower case; RFC 5233 section 1: the detail.
"""

import idna


def canonical_domain(domain: str) -> str:
    """Lower case, no dot at the end, international names as A-labels (RFC 5890)."""
    domain = domain.lower().removesuffix(".")
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain  # compares equal to itself only


def split_detail(local: str, separators: str) -> tuple[str, str]:
    """The user's name, and what follows the first separator; "" when there is none.

    A separator at the very start separates nothing.

    Args:
        local: A local part.
        separators: Characters, each of which separates.
    """
    found = [at for mark in separators if (at := local.find(mark, 1)) > 0]
    at = min(found, default=-1)
    if at < 0:
        return local, ""
    return local[:at], local[at + 1 :]
