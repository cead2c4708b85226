"""Replies: the lines that answer a command.

In this file:
    reply     one reply of one or several lines

Grammar: RFC 5321 section 4.2, ``code "-" text`` for all lines but the last, which has a
space; RFC 2034 section 4: an enhanced status code (RFC 3463) begins the text of every
line of a 2xx, 4xx or 5xx reply, but not of the greeting and of the answer to EHLO.
"""


def reply(code: int, text: str, enhanced: str = "") -> bytes:
    """The octets of a reply.

    Args:
        code: Three digits.
        text: Lines divided by LF; what is not printable ASCII is shown as "?".
        enhanced: The enhanced status code, such as "5.1.1".
    """
    lines = text.split("\n")
    status = f"{enhanced} " if enhanced else ""
    last = len(lines) - 1
    return b"".join(
        b"%d%c%s%s\r\n"
        % (code, 32 if at == last else 45, status.encode(), _plain(line))
        for at, line in enumerate(lines)
    )


def _plain(line: str) -> bytes:
    if line.isascii() and line.isprintable():
        return line.encode()
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in line).encode()
