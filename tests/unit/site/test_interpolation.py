"""References in texts, and secrets, which are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.interpolation import anchor, expand
from eugenie_cli.site.secrets import reveal, show_secret, without_password

HERE = Path("/base")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:A}", "one"),
        ("x/${env:A}/${env:A}", "x/one/one"),
        ("${env:A:-other}", "one"),
        ("${env:B:-other}", "other"),
        ("${env:EMPTY:-other}", "other"),
        ("${env:EMPTY}", ""),
        ("${env:B:-}", ""),
        ("${env:B:-http://h:1/x}", "http://h:1/x"),
        ("$${env:A}", "${env:A}"),
        ("5 $ and {braces}", "5 $ and {braces}"),
    ],
)
def test_references_are_replaced(text, value):
    assert expand(text, HERE, {"A": "one", "EMPTY": ""}) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env:B}", "the environment variable B is not set"),
        ("${file:nothing}", "/base/nothing cannot be read: No such file or directory"),
        ("${evn:B}", "unknown kind of reference"),
        ("${B}", "unknown kind of reference"),
        ("${env:B", "a reference is not closed"),
    ],
)
def test_a_reference_that_cannot_be_replaced_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        expand(text, HERE, {})


def test_a_file_is_read_without_its_last_line_break(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    assert expand("${file:secret}", tmp_path) == "s3cret"


@given(st.text().filter(lambda text: "${" not in text))
def test_text_without_references_is_unchanged(text):
    assert expand(text, HERE, {}) == anchor(text, HERE) == text


def test_a_secret_is_read_when_it_is_used_from_any_working_directory(tmp_path, monkeypatch):
    (tmp_path / "kafka").write_text("first\n")
    secret = SecretStr(anchor("${file:kafka}", tmp_path))
    monkeypatch.chdir("/")
    assert reveal(secret) == "first"
    (tmp_path / "kafka").write_text("second\n")
    assert reveal(secret) == "second"


def test_a_missing_secret_is_named_without_its_text(monkeypatch):
    monkeypatch.delenv("EUGENIE_TEST_SECRET", raising=False)
    with pytest.raises(EugenieError) as caught:
        reveal(SecretStr("prefix-${env:EUGENIE_TEST_SECRET}"))
    assert "EUGENIE_TEST_SECRET is not set" in caught.value.reason
    assert "prefix" not in caught.value.reason


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("${env:PASSWORD}", "${env:PASSWORD}"),
        ("${file:/run/secrets/kafka}", "${file:/run/secrets/kafka}"),
        ("hunter2", "********"),
        ("${env:PASSWORD:-hunter2}", "********"),
        ("hunter2${env:PASSWORD}", "********"),
        ("$${env:PASSWORD}", "********"),
    ],
)
def test_a_secret_shows_its_source_and_never_its_value(written, shown):
    assert show_secret(SecretStr(written)) == shown


def test_passwords_inside_addresses_are_not_shown():
    assert without_password("http://me:hunter2@host:5000/x") == "http://me:********@host:5000/x"
    assert without_password("http://host:5000/a@b") == "http://host:5000/a@b"
