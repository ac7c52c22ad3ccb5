"""The reason why a TLS client cannot connect to a model server is named by the readiness check and by every command.

The servers are gRPC's own, with real certificates and without models: only the connection is tested.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.certificates import Authority, Pair
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.main import app
from eugenie_cli.operations.status import status
from eugenie_cli.operations.up import up
from eugenie_cli.serving import local, tls
from eugenie_cli.serving.health import NO_ANSWER, why_not_serving
from eugenie_cli.serving.tls_diagnosis import refusal
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.served_models import query_models
from eugenie_cli.streaming.submit import check_models
from eugenie_cli.tfserving.credentials import Credentials

SITE = """\
site: small
classes:
  pump: {sensors: [{name: a}]}
assets:
  pump-101: {class: pump}
"""
DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


@dataclass(frozen=True)
class Pki:
    """Certificates that one authority signed, and one that another authority signed."""

    ca: Path
    other_ca: Path
    server: Pair
    expired: Pair
    early: Pair
    caller: Pair
    expired_caller: Pair
    stranger: Pair

    def shown(self, pair: Pair | None = None) -> Credentials:
        return Credentials(str(self.ca), *((str(pair.certificate), str(pair.key)) if pair else (None, None)))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    plant, other = Authority(folder / "plant", "plant-ca"), Authority(folder / "other", "other-ca")
    return Pki(
        plant.ca, other.ca, plant.sign("server"), plant.sign("expired", -2), plant.sign("early", begins=2),
        plant.sign("caller"), plant.sign("expired-caller", -2), other.sign("stranger"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def listen() -> Iterator[Callable[..., str]]:
    """`listen(pair, client_ca)` starts a gRPC server and returns its address; without a pair it does not use TLS."""
    started: list[grpc.Server] = []

    def start(pair: Pair | None = None, client_ca: Path | None = None) -> str:
        server = grpc.server(ThreadPoolExecutor(1))
        if pair is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            roots = None if client_ca is None else client_ca.read_bytes()
            shown = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(shown, roots, roots is not None))
        server.start()
        started.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in started:
        server.stop(None)


def test_a_server_that_accepts_its_client_has_no_problem(listen: Callable[..., str], pki: Pki) -> None:
    open_to_all, mutual = listen(pki.server), listen(pki.server, pki.ca)
    for address, credentials in (
        (open_to_all, pki.shown()),
        (open_to_all, pki.shown(pki.stranger)),
        (mutual, pki.shown(pki.caller)),
    ):
        assert why_not_serving(address, credentials=credentials) == ""
        assert refusal(address, credentials, 5) == ""
    assert why_not_serving(listen()) == ""


def test_a_problem_with_the_servers_certificate_is_named(listen: Callable[..., str], pki: Pki) -> None:
    address, stranger = listen(pki.server), Credentials(str(pki.other_ca))
    assert why_not_serving(address, credentials=stranger) == (
        f"its certificate is not signed by {pki.other_ca}, but by CN=plant-ca"
    )
    assert "the system's authorities, but by CN=plant-ca" in why_not_serving(address, credentials=Credentials())
    by_name = address.replace("127.0.0.1", "localhost")
    assert why_not_serving(by_name, credentials=pki.shown()) == (
        "its certificate is for server, 127.0.0.1, not for localhost"
    )
    assert re.fullmatch(
        f"its certificate expired on {DAY}", why_not_serving(listen(pki.expired), credentials=pki.shown())
    )
    assert re.fullmatch(
        f"its certificate is not valid before {DAY}", why_not_serving(listen(pki.early), credentials=pki.shown())
    )


def test_the_reason_why_the_server_rejects_its_client_is_named(listen: Callable[..., str], pki: Pki) -> None:
    mutual = listen(pki.server, pki.ca)
    none = "it requires a client certificate, but none was presented"
    assert why_not_serving(mutual, credentials=pki.shown()) == none
    expired, stranger = pki.expired_caller.certificate, pki.stranger.certificate
    assert re.fullmatch(
        f"it rejects {re.escape(str(expired))}, which expired on {DAY}",
        why_not_serving(mutual, credentials=pki.shown(pki.expired_caller)),
    )
    assert why_not_serving(mutual, credentials=pki.shown(pki.stranger)) == (
        f"it rejects {stranger}: it may not trust the authority that signed it"
    )


def test_a_server_or_client_without_tls_is_named(listen: Callable[..., str], pki: Pki) -> None:
    assert why_not_serving(listen(), credentials=pki.shown()) == "it does not speak TLS"
    for address in (listen(pki.server), listen(pki.server, pki.ca)):
        assert why_not_serving(address) == "it requires TLS"


def test_unusable_files_are_named(listen: Callable[..., str], pki: Pki, tmp_path: Path) -> None:
    address, empty = listen(pki.server), tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    assert f"{empty} holds no certificate" in why_not_serving(address, credentials=Credentials(str(empty)))
    swapped = Credentials(str(pki.ca), str(pki.caller.certificate), str(pki.server.key))
    assert "are not a certificate and its key" in why_not_serving(address, credentials=swapped)
    gone = Credentials(str(tmp_path / "gone.pem"))
    assert (
        why_not_serving(address, credentials=gone)
        == f"{tmp_path / 'gone.pem'} cannot be read: No such file or directory"
    )


def test_a_port_without_a_listener_is_not_a_tls_problem(pki: Pki) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert why_not_serving(address, credentials=pki.shown(pki.caller)) == NO_ANSWER
    assert refusal("unix:/nowhere.sock", pki.shown(), 1) == ""


@contextmanager
def alerting(pki: Pki, version: ssl.TLSVersion) -> Iterator[str]:
    """A server that sends an alert when it rejects a client, as servers other than gRPC's do (for example a proxy)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.certificate, pki.server.key)
    context.load_verify_locations(pki.ca)
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, version
    listening = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            with connected:
                try:
                    with context.wrap_socket(connected, server_side=True) as tls_socket:
                        tls_socket.recv(1)
                except OSError:
                    pass

    thread = threading.Thread(target=greet)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_alert_of_a_server_is_reported(pki: Pki, version: ssl.TLSVersion) -> None:
    with alerting(pki, version) as address:
        assert refusal(address, pki.shown(), 5) == "it requires a client certificate, but none was presented"
        reason = refusal(address, pki.shown(pki.stranger), 5)
        assert re.fullmatch(f"it rejects {pki.stranger.certificate} \\(.*unknown ca\\): .*", reason), reason


# -- the commands ---------------------------------------------------------------------------------------------


def site_of(folder: Path, address: str, pki: Pki, *pair: Pair) -> Site:
    """A site with an external model server, which is called with the authority and optionally a certificate."""
    shown = "".join(f", client_certificate: {client.certificate}, client_key: {client.key}" for client in pair)
    file = folder / "small.yaml"
    file.write_text(f"{SITE}serving: {{address: '{address}', tls: {{ca: {pki.ca}{shown}}}}}\n")
    return load_site(file)


@pytest.fixture(params=["expired", "not shown", "unknown authority"])
def refused(request: pytest.FixtureRequest, tmp_path: Path, listen: Callable[..., str], pki: Pki) -> tuple[Site, str]:
    """(site, the expected reason why it cannot reach its model server)."""
    if request.param == "expired":
        return site_of(tmp_path, listen(pki.expired), pki), "its certificate expired on "
    if request.param == "not shown":
        return site_of(tmp_path, listen(pki.server, pki.ca), pki), "it requires a client certificate"
    address = listen(pki.stranger)
    return site_of(tmp_path, address, pki), f"its certificate is not signed by {pki.ca}, but by CN=other-ca"


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


@pytest.mark.slow
def test_every_command_that_calls_the_server_names_the_reason(refused: tuple[Site, str]) -> None:
    site, words = refused
    file = str(site.file)
    status = json.loads(run("serve", "status", "--site", file, "-o", "json").stdout)
    assert (status["state"], words in status["why"]) == ("unreachable", True), status
    assert words in " ".join(run("serve", "status", "--site", file).stdout.split())

    (service,) = [
        part for part in json.loads(run("status", "--site", file, "-o", "json").stdout) if part["name"] == "serving"
    ]
    assert (service["state"], words in service["why"], service["hint"]) == ("unreachable", True, tls.HINT)
    assert words in " ".join(run("status", "--site", file).stdout.split())

    (finding,) = [
        check for check in json.loads(run("doctor", "--site", file, "-o", "json").stdout) if check["name"] == "serving"
    ]
    assert (finding["ok"], words in finding["found"], finding["hint"]) == (False, True, tls.HINT)

    for ask in (local.start, check_models, up):
        with pytest.raises(EugenieError) as raised:
            ask(site)
        assert words in raised.value.reason and raised.value.exit_code is ExitCode.UNREACHABLE
        assert raised.value.hint == tls.HINT
    assert words in query_models(site).detail


def test_a_server_that_accepts_the_site_is_reachable(tmp_path: Path, listen: Callable[..., str], pki: Pki) -> None:
    site = site_of(tmp_path, listen(pki.server, pki.ca), pki, pki.caller)
    (found,) = [one for one in status(site) if one.name == "serving"]
    assert (found.state, found.why, found.hint) == ("reachable", "", "")
