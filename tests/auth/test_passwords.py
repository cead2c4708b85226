"""Password schemes, with strings made by other programs."""

import hashlib

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.auth import crypt3
from maildrop.auth.passwords import (
    SCHEMES,
    UnknownScheme,
    is_slow,
    make,
    scram_keys,
    verify,
)
from maildrop.auth.stored import problem
from maildrop.errors import PermanentError

SALT = bytes(range(64))


def random(octets: int) -> bytes:
    """Predictable, for tests."""
    return SALT[:octets]


#: The password is "password" in all of them; made by openssl and perl.
STORED = [
    "{PLAIN}password",
    "{cleartext}password",
    "{PLAIN.b64}cGFzc3dvcmQ=",
    "{PLAIN.hex}70617373776f7264",
    "{MD5}5f4dcc3b5aa765d61d8327deb882cf99",
    "{PLAIN-MD5}5F4DCC3B5AA765D61D8327DEB882CF99",
    "{PLAIN-MD5.b64}X03MO1qnZdYdgyfeuILPmQ==",
    "{LDAP-MD5}X03MO1qnZdYdgyfeuILPmQ==",
    "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "{SHA1.hex}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
    "{SHA1}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
    "{SHA256}XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg=",
    "{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "{MD5}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "{MD5-CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "$5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5",
    "{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9Yte"
    "rLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
    "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
    "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$tmbdhr0e9QpOB3fS67hTEg",
    "{ARGON2I}$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$xtEwO+qH6PD9PHVTDiDNPg",
    "{PBKDF2}$1$saltsalt$1000$e9febff54bfce668fde301acc85563cc9dc71ef6",
    "$sha1$100$saltsalt$mGP.pAmPFRX2lwGPE3Gu1Oan/cQ.",
    "_J9..rasmEedsvB6g8/6",
    "abJnggxhB/yWI",
]


@pytest.mark.parametrize("stored", STORED)
def test_strings_of_other_programs_fit_their_password_only(stored: str) -> None:
    assert verify(stored, "password")
    assert not verify(stored, "Password")
    assert not verify(stored, "passwor")
    assert problem(stored) == ""


@pytest.mark.parametrize("stored", [s for s in STORED if s.startswith("$")])
def test_passlib_agrees_with_the_library_of_the_system(stored: str) -> None:
    assert crypt3.verify_with_passlib(stored, b"password")
    assert not crypt3.verify_with_passlib(stored, b"passwort")


def test_what_only_the_library_of_the_system_knows_fits_where_there_is_one() -> None:
    stored = "$y$j9T$saltsaltsaltsalt$Uxvkjnhdr/2B6SINV1mXACdXVbd5kc899ms5aqhxMQD"
    assert verify(stored, "password") is crypt3.HAS_LIBCRYPT
    assert not verify(stored, "passwort")
    assert not crypt3.verify_with_passlib(stored, b"password")


def test_scram_keys_fit_their_password() -> None:
    """RFC 7677 section 3: the password is "pencil"."""
    stored = (
        "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert verify(stored, "pencil")
    assert not verify(stored, "pencils")


@pytest.mark.parametrize(
    "scheme", [name for name, scheme in SCHEMES.items() if scheme.make is not None]
)
def test_what_is_made_fits(scheme: str) -> None:
    stored = make("pässwörd", random, scheme)
    assert stored.startswith(f"{{{scheme}}}")
    assert ":" not in stored
    assert verify(stored, "pässwörd")


@pytest.mark.parametrize(
    "stored",
    ["", "*", "!", "x", "!!", "*LK*", "!{PLAIN}a", "!$1$saltsalt$x", "{PLAIN}", "{}a"],
)
@pytest.mark.parametrize("password", ["", "x", "a", "*", "!", "!!", "*LK*"])
def test_locked_and_empty_fields_fit_nothing(stored: str, password: str) -> None:
    assert not verify(stored, password)


@pytest.mark.parametrize(
    "stored",
    [
        "plain text",
        "{NOSUCH}a",
        "{SSHA}",
        "{SSHA}%%%",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",  # no salt
        "{SHA256}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",  # too short
        "{SHA.hex}zz",
        "{PBKDF2}$1$salt$x$00",
        "{PBKDF2}$1$salt$0$00",
        "{PBKDF2}$2$salt$1000$00",
        "{PBKDF2}$1$salt$99999999999$00",
        "{SCRAM-SHA-256}4096,a,b,c",
        "{SCRAM-SHA-256}0,YQ==,YQ==,YQ==",
        "{SCRAM-SHA-1}4096,YQ==",
        "{BLF-CRYPT}$2y$99$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
        "{BLF-CRYPT}$2y$",
        "{ARGON2ID}$argon2id$nonsense",
        "{ARGON2ID}$argon2xx$v=19$m=64,t=1,p=1$c2FsdA$tmbdhr0e9QpOB3fS67hTEg",
        "$6$",
        "$1$\u00e9$x",
        "{PLAIN.b64}%%%",
    ],
)
def test_malformed_strings_fit_nothing_and_raise_nothing(stored: str) -> None:
    assert not verify(stored, "password")


def test_bcrypt_reads_72_octets_as_crypt_does() -> None:
    long = "a" * 72
    stored = crypt3.make_bcrypt(long.encode(), random)
    assert crypt3.verify(stored, (long + "b").encode())
    assert not crypt3.verify(stored, b"a" * 71)


def test_passwords_in_an_old_character_set_fit_octet_for_octet() -> None:
    stored = "{SHA1.hex}" + hashlib.sha1(b"p\xe4ss", usedforsecurity=False).hexdigest()
    assert verify(stored, "p\udce4ss")
    assert not verify(stored, "päss")


@pytest.mark.parametrize("password", ["", "a\0b"])
def test_no_password_is_made_of_nothing_or_with_nul(password: str) -> None:
    with pytest.raises(PermanentError):
        make(password, random)
    assert not verify(f"{{PLAIN}}{password}", password)


def test_a_plain_password_with_a_colon_is_encoded() -> None:
    stored = make("a:b", random, "PLAIN")
    assert stored == "{PLAIN.b64}YTpi"
    assert verify(stored, "a:b")


@pytest.mark.parametrize("scheme", ["NOSUCH", "SHA", "PLAIN-MD5", "DES-CRYPT", "SMD5"])
def test_weak_and_unknown_schemes_are_not_made(scheme: str) -> None:
    with pytest.raises(UnknownScheme):
        make("password", random, scheme)


def test_two_spellings_of_a_password_are_one() -> None:
    """RFC 4013: the combining accent and the letter with it."""
    stored = make("jo\u0308rg", random, "SSHA256")
    assert verify(stored, "jörg")


def test_schemes_that_take_long_are_known() -> None:
    assert is_slow("{ARGON2ID}$argon2id$x")
    assert is_slow("$6$salt$x")
    assert not is_slow("{PLAIN}x")
    assert not is_slow("{SSHA}x")
    assert not is_slow("!")
    assert not is_slow("{NOSUCH}x")


def test_keys_for_scram_come_from_plain_and_scram_passwords() -> None:
    found = scram_keys("{PLAIN}pencil", "sha256", b"salt")
    again = scram_keys(f"{{SCRAM-SHA-256}}{found}", "sha256", b"other")
    assert found is not None
    assert found == again
    assert scram_keys("{SCRAM-SHA-1}x", "sha256", b"salt") is None
    assert scram_keys("{SHA}x", "sha256", b"salt") is None
    assert scram_keys("!{PLAIN}pencil", "sha256", b"salt") is None


@settings(max_examples=150)
@given(
    st.sampled_from(["", "{PLAIN}", "{SSHA}", "{CRYPT.hex}", "{SCRAM-SHA-1}", "$5$"]),
    st.text(max_size=30),
    st.text(max_size=10),
)
def test_any_field_and_any_password_raise_nothing(
    scheme: str, data: str, password: str
) -> None:
    verify(scheme + data, password)
    is_slow(scheme + data)
    problem(scheme + data)
