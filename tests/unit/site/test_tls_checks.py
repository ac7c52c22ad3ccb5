"""The model server's certificates in a site file: consistency, and what `config check` finds in the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.certificates import Authority

from eugenie_cli.errors import ExitCode
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.diagnostics import SiteError
from eugenie_cli.site.load import load_site
from eugenie_cli.tfserving.credentials import Credentials

OWN = "certificate: pki/server.pem, key: pki/server.key"
MUTUAL = f"{OWN}, ca: pki/plant.pem, client_ca: pki/plant.pem"
CALLER = "client_certificate: pki/caller.pem, client_key: pki/caller.key"


def tls(keys: str, address: str = "") -> str:
    return f"serving: {{{f'address: {address}, ' if address else ''}tls: {{{keys}}}}}"


@pytest.mark.parametrize(
    "good",
    [
        tls(OWN),
        tls(f"{OWN}, ca: a.pem"),
        tls(f"{MUTUAL}, {CALLER}"),
        tls("ca: pki/plant.pem", "host:8500"),
        tls(f"ca: pki/plant.pem, {CALLER}", "host:8500"),
        tls("", "host:8500"),
    ],
)
def test_consistent_settings_are_no_problem(problems: Callable[..., list[str]], good: str) -> None:
    assert problems(good) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (tls("certificate: a.pem"), "serving.tls.key: is required together with certificate"),
        (tls("key: a.key"), "serving.tls.certificate: is required together with key"),
        (tls("ca: a.pem"), "serving.tls.certificate: is required together with key: eugenie starts this server"),
        (tls("client_key: a.key", "host:8500"), "serving.tls.client_certificate: is required together with client_key"),
        (
            tls("client_certificate: a.pem", "h:1"),
            "tls.client_key: is required together with client_certificate",
        ),
        (
            tls(MUTUAL),
            "tls.client_certificate: is required together with client_ca: eugenie itself is a client",
        ),
    ],
)
def test_inconsistent_settings_are_named(problems: Callable[..., list[str]], wrong: str, problem: str) -> None:
    (reported,) = problems(wrong)
    assert problem in reported


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    """`pki/` next to `site-configs/`: plant.pem has signed server and caller."""
    plant = Authority(tmp_path / "pki", "plant")
    plant.sign("server")
    plant.sign("caller")
    return plant


def wrong_files(path: Path) -> list[str]:
    try:
        load_site(path, files=True)
    except SiteError as error:
        assert error.exit_code is ExitCode.INVALID_SITE
        return [f"{problem['path']}: {problem['message']}" for problem in error.listing()]
    return []


def test_good_files_are_no_problem_and_callers_get_their_paths(
    write: Callable[..., Path], pki: Authority, tmp_path: Path
) -> None:
    path = write(tls(f"{MUTUAL}, {CALLER}"))
    assert wrong_files(path) == []
    folder = tmp_path / "pki"
    assert credentials_of(load_site(path)) == Credentials(
        str(folder / "plant.pem"), str(folder / "caller.pem"), str(folder / "caller.key")
    )
    assert credentials_of(load_site(write(tls("", "host:8500")))) == Credentials()
    assert credentials_of(load_site(write("serving: {}"))) is None


def test_a_problem_with_a_file_is_reported_at_its_key(
    write: Callable[..., Path], pki: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "pki"
    pki.sign("old", days=-3)
    pki.sign("locked", password=b"tiger")
    (folder / "text.pem").write_text("no certificate")
    (folder / "text.key").write_text("no key")
    for keys, problem in [
        ("certificate: pki/gone.pem, key: pki/server.key", "certificate: {}/gone.pem cannot be read: No such file"),
        ("certificate: pki, key: pki/server.key", "certificate: {} cannot be read: Is a directory"),
        ("certificate: pki/text.pem, key: pki/server.key", "certificate: contains no certificate in PEM"),
        ("certificate: pki/server.pem, key: pki/text.key", "key: contains no private key in PEM"),
        ("certificate: pki/server.pem, key: pki/caller.key", "key: does not belong to the certificate"),
        ("certificate: pki/locked.pem, key: pki/locked.key", "key: has a password"),
        (f"{OWN}, ca: pki/server.key", "ca: contains no certificate in PEM"),
        (f"{MUTUAL}, client_certificate: pki/server.pem, client_key: pki/caller.key", "client_key: does not belong"),
    ]:
        (reported,) = wrong_files(write(tls(keys)))
        assert reported.startswith("serving.tls." + problem.format(folder)), reported
    (reported,) = wrong_files(write(tls("certificate: pki/old.pem, key: pki/old.key")))
    assert reported.startswith("serving.tls.certificate: expired on 20") and reported.endswith(" UTC")


def test_files_of_another_server_are_not_needed_here(write: Callable[..., Path], pki: Authority) -> None:
    assert wrong_files(write(tls("certificate: gone.pem, key: gone.key, ca: pki/plant.pem", "host:8500"))) == []
    (reported,) = wrong_files(write(tls("ca: gone.pem", "host:8500")))
    assert reported.startswith("serving.tls.ca: ")


def test_a_site_is_loaded_without_its_certificates(write: Callable[..., Path]) -> None:
    assert load_site(write(tls(OWN))).serving.tls is not None
