"""UIDVALIDITY grows, whatever the clock does."""

import dataclasses
from pathlib import Path

from maildrop.storage.index.host import Host
from maildrop.storage.index.uid_validity import next_uid_validity


def at(host: Host, seconds: float) -> Host:
    return dataclasses.replace(host, clock=lambda: seconds)


def test_it_is_the_time_and_never_given_twice(tmp_path: Path, host: Host) -> None:
    """RFC 3501 section 2.3.1.1."""
    path = str(tmp_path / "uidvalidity")
    assert next_uid_validity(path, at(host, 1000.7)) == 1000
    assert next_uid_validity(path, at(host, 1000.9)) == 1001
    assert next_uid_validity(path, at(host, 500)) == 1002
    assert next_uid_validity(path, at(host, 2000)) == 2000
    assert next_uid_validity(path, at(host, 2000), above=3000) == 3001


def test_it_stays_a_number_of_32_bits(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "uidvalidity"
    path.write_bytes(b"99999999999\n")
    assert next_uid_validity(str(path), at(host, 1)) == 0xFFFFFFFF


def test_rubbish_in_the_file_is_passed_over(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "uidvalidity"
    path.write_bytes(b"rubbish")
    assert next_uid_validity(str(path), at(host, 77)) == 77
