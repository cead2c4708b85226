"""Trace fields."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from maildrop.delivery.received import (
    Trace,
    delivered_to,
    gap,
    head,
    hops,
    protocol,
    received,
)
from maildrop.smtp.wire.path import Path

TRACE = Trace(
    id="0123456789ABC",
    client_name="client.example",
    client_address="192.0.2.7",
    protocol="ESMTPS",
    encryption="TLSv1.3 with cipher TLS_AES_256_GCM_SHA384",
    hostname="mail.example.org",
    seconds=1_790_000_000.0,
)


def test_received_tells_from_whom_how_and_when() -> None:
    """RFC 5321 section 4.4."""
    assert received(TRACE, Path("alice", "example.org")) == (
        b"Received: from client.example ([192.0.2.7])\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mail.example.org with ESMTPS id 0123456789ABC\r\n"
        b"\tfor <alice@example.org>;\r\n"
        b"\tMon, 21 Sep 2026 14:13:20 +0000\r\n"
    )


def test_several_recipients_are_not_named() -> None:
    """RFC 5321 section 7.2: blind copies stay blind."""
    assert b"for <" not in received(TRACE, None)


def test_ipv6_and_unix_sockets() -> None:
    """RFC 5321 section 4.1.3."""
    v6 = received(replace(TRACE, client_address="2001:db8::1"), None)
    assert b"from client.example ([IPv6:2001:db8::1])" in v6
    unix = received(replace(TRACE, client_address="unix", encryption=""), None)
    assert unix.startswith(b"Received: from client.example\r\n\tby ")


@given(st.text(max_size=30))
def test_whatever_a_client_calls_itself_the_field_stays_one_field(name: str) -> None:
    octets = received(replace(TRACE, client_name=name), None)
    assert octets.isascii()
    assert re.fullmatch(rb"Received: [^\r\n]*(\r\n\t[^\r\n]+){3}\r\n", octets)
    assert octets.count(b"(") == 2


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ("", "SMTP"),
        ("s", "SMTP"),
        ("e", "ESMTP"),
        ("es", "ESMTPS"),
        ("ea", "ESMTPA"),
        ("esa", "ESMTPSA"),
        ("el", "LMTP"),
        ("els", "LMTPS"),
        ("eu", "UTF8SMTP"),
        ("eusa", "UTF8SMTPSA"),
        ("elu", "UTF8LMTP"),
    ],
)
def test_the_word_after_with(facts: str, word: str) -> None:
    """RFC 3848, RFC 6531 section 4.3."""
    found = protocol(
        lmtp="l" in facts,
        extended="e" in facts,
        encrypted="s" in facts,
        authenticated="a" in facts,
        utf8="u" in facts,
    )
    assert found == word


def test_the_head_of_a_copy() -> None:
    """RFC 5321 section 4.4, RFC 9228."""
    assert head(b"Received: x\r\n", Path("a b", "c"), Path("d", "e")) == (
        b'Return-Path: <"a b"@c>\r\nDelivered-To: d@e\r\nReceived: x\r\n'
    )
    assert head(b"", None, Path("d", "e")).startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize(
    ("header", "octets"),
    [
        (b"Subject: x\r\n", b""),
        (b"Subject : x\r\n", b""),
        (b"From alice Mon\r\nSubject: x", b""),
        (b">From alice Mon\r\nSubject: x", b""),
        (b"broken line\nSubject: x", b""),
        (b" folded\r\nSubject: x", b""),
        (b"", b""),
        (b"hello\r\nyou", b"\r\n"),
        (b"hello alice: x", b"\r\n"),
        (b"a" * 2000 + b": x", b"\r\n"),
    ],
)
def test_a_message_without_a_header_is_kept_apart(header: bytes, octets: bytes) -> None:
    assert gap(header) == octets


def test_hops_are_counted_in_any_case_and_only_as_fields() -> None:
    header = b"Received: a\r\nX-Received: b\r\nRECEIVED : c\r\n Received: d\r\n"
    assert hops(header) == 2


def test_addresses_of_delivered_to() -> None:
    header = b"delivered-TO:  Alice@X \r\nDelivered-To: b@y\r\nTo: c@z"
    assert delivered_to(header) == {"alice@x", "b@y"}
