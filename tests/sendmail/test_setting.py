"""The settings of sendmail are those of the server."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.app.config import read
from maildrop.errors import ConfigurationError
from maildrop.sendmail.setting import load

values = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["/var/lib/x", "state", "../s/./t"]),
        "hostname": st.sampled_from(["mail.example.org", "mx.example.net"]),
        "domains": st.lists(
            st.sampled_from(["example.org", "example.net"]), min_size=1, unique=True
        ),
        "message": st.sampled_from([1000, "50M", "2 GiB", "7k", "12", "3TB"]),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(values)
def test_they_are_those_of_the_server(
    tmp_path: Path, given_values: dict[str, object]
) -> None:
    file = tmp_path / "maildrop.toml"
    top = {
        key: given_values[key] for key in ("state", "hostname") if key in given_values
    }
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in top.items())
    if "domains" in given_values:
        text += f"[mail]\ndomains = {json.dumps(given_values['domains'])}\n"
    if "message" in given_values:
        text += f"[limits]\nmessage = {json.dumps(given_values['message'])}\n"
    file.write_text(text)
    found, configuration = load(str(file)), read(str(file)).configuration
    assert found.state == configuration.state
    assert found.hostname == configuration.hostname
    assert found.domain == configuration.mail.domains[0]
    assert found.message == configuration.limits.message


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load(str(tmp_path / "none"))


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("state = ")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load(str(tmp_path / "bad"))


def test_values_of_other_types_are_the_checks_business(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text('state = 1\nmail = 2\n[limits]\nmessage = "x"\n')
    assert load(str(tmp_path / "odd")).state == "/var/lib/maildrop"
    assert load(str(tmp_path / "odd")).message == 50 << 20
