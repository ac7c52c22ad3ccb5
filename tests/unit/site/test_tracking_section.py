"""The section `tracking`: the credentials that a server receives, and conflicting settings."""

from __future__ import annotations

import os

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.effective import in_force
from eugenie_cli.site.json_schema import site_schema
from eugenie_cli.site.load import load_site
from eugenie_cli.training import credentials

SERVER = "uri: 'https://mlflow:5000'"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{token: x}", "tracking.token: is for a server"),
        ("{ca: x.pem}", "tracking.ca: is for a server"),
        ("{%s, username: ann}".replace("%s", SERVER), "tracking.password: is required together with username"),
        ("{%s, password: x}".replace("%s", SERVER), "tracking.username: is required together with password"),
        (
            "{%s, username: a, password: x, token: y}".replace("%s", SERVER),
            "tracking.token: give a token or a user, not both",
        ),
        ("{uri: 'http://mlflow:5000', ca: x.pem}", "tracking.ca: is for https://"),
    ],
)
def test_conflicting_settings_are_reported(problems, section: str, problem: str):
    (reported,) = problems(f"tracking: {section}\n")
    assert problem in reported


@pytest.mark.slow
def test_a_valid_section_and_its_secrets(problems, write, monkeypatch):
    text = "tracking: {%s, username: ann, password: '${env:EUGENIE_TEST_SECRET}', ca: ca.pem}\n".replace("%s", SERVER)
    assert problems(text) == []
    shown = in_force(load_site(write(text)))["tracking"]
    assert shown["password"] == "${env:EUGENIE_TEST_SECRET}"
    assert (
        in_force(load_site(write("tracking: {%s, token: abc}\n".replace("%s", SERVER))))["tracking"]["token"]
        == "********"
    )
    assert {"username", "password", "token", "ca"} <= set(site_schema()["$defs"]["Tracking"]["properties"])


def test_credentials_are_sent_only_to_their_own_server(write, monkeypatch):
    for name in (credentials.USERNAME, credentials.PASSWORD, credentials.TOKEN, credentials.CA):
        monkeypatch.delenv(name, raising=False)
    site = load_site(write("tracking: {%s, token: '${env:EUGENIE_TEST_SECRET}', ca: ca.pem}\n".replace("%s", SERVER)))
    monkeypatch.delenv("EUGENIE_TEST_SECRET", raising=False)
    with pytest.raises(EugenieError, match="EUGENIE_TEST_SECRET is not set"):
        credentials.show(site)
    monkeypatch.setenv("EUGENIE_TEST_SECRET", "one")
    credentials.show(site)
    assert os.environ[credentials.TOKEN] == "one"
    assert os.environ[credentials.CA] == str(site.resolve("ca.pem"))
    credentials.show(load_site(write()))
    assert not {credentials.TOKEN, credentials.CA} & set(os.environ)
