"""The server's certificates are renewed while it serves: new connections see the new one, and no request fails."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests
from cryptography import x509
from support.certificates import Authority, Pair
from support.model_server import READY, publish, served, wait_until
from support.small_models import ASSETS, SENSORS, WINDOW, write_version

from eugenie_cli.serving.health import is_serving, why_not_serving
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.tfserving.errors import ModelServerError

pytestmark = pytest.mark.integration

ROWS = np.ones((1, WINDOW, SENSORS), np.float32)
OLD_CALLERS = "it rejects"


@dataclass(frozen=True)
class Server:
    """A server whose files the test replaces. `at` and `rest`: (host, port)."""

    client: PredictClient
    rest: str
    files: Pair
    client_ca: Path
    log: Path
    plant: Authority

    @property
    def places(self) -> tuple[tuple[str, int], tuple[str, int]]:
        split = [address.rpartition(":") for address in (self.client.address, self.rest.removeprefix("https://"))]
        return tuple((host, int(port)) for host, _, port in split)  # type: ignore[return-value]

    def serials(self, caller: Pair) -> list[int]:
        """Serial numbers of the certificates that gRPC and REST present now."""
        return [serial_at(place, self.plant.ca, caller) for place in self.places]

    def logged(self, words: str) -> Callable[[], bool]:
        return lambda: words in self.log.read_text()


def serial_at(place: tuple[str, int], ca: Path, caller: Pair) -> int:
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.load_cert_chain(caller.certificate, caller.key)
    with (
        socket.create_connection(place, 30) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as spoken,
    ):
        shown = spoken.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


def serial_in(certificate: Path) -> int:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def put(source: Path, target: Path) -> None:
    """Replace a file as renewal tools do: write a new one, then rename it."""
    beside = target.with_suffix(".new")
    beside.write_bytes(source.read_bytes())
    beside.replace(target)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "plant-ca")


@pytest.fixture(scope="module")
def caller(plant: Authority) -> Pair:
    return plant.sign("caller")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, plant: Authority, caller: Pair) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("renewed")
    write_version(root / "versions", "pump", 1)
    publish(root / "versions" / "pump", root / "models" / "pump", 1)
    first, client_ca = plant.sign("first"), root / "client-ca.pem"
    files = Pair(root / "server.pem", root / "server.key")
    for source, target in ((first.certificate, files.certificate), (first.key, files.key), (plant.ca, client_ca)):
        put(source, target)
    flags = ["--tls-certificate", files.certificate, "--tls-key", files.key, "--tls-client-ca", client_ca]
    shown = Credentials(str(plant.ca), str(caller.certificate), str(caller.key))
    arguments = ["--models", str(root / "models"), "--unreleased", "--rest-port", "0", *map(str, flags)]
    with served(root, *arguments, credentials=shown) as client:
        yield Server(
            client, json.loads((root / READY).read_text())["rest"], files, client_ca, root / "server.log", plant
        )


def test_a_new_certificate_is_shown_and_no_call_fails(server: Server, plant: Authority, caller: Pair) -> None:
    failures: list[str] = []
    answered = {"kept": 0, "new": 0, "rest": 0}
    ended = threading.Event()
    shown = Credentials(str(plant.ca), str(caller.certificate), str(caller.key))

    def anew() -> None:
        with PredictClient(server.client.address, shown) as client:
            client.predict("pump", [ASSETS[0]], ROWS)

    def by_rest() -> None:
        pair = (str(caller.certificate), str(caller.key))
        requests.get(f"{server.rest}/v1/models/pump", verify=str(plant.ca), cert=pair, timeout=60).raise_for_status()

    calls = {"kept": lambda: server.client.predict("pump", [ASSETS[0]], ROWS), "new": anew, "rest": by_rest}

    def call() -> None:
        while not ended.is_set():
            for name, ask in calls.items():
                try:
                    ask()
                    answered[name] += 1
                except (ModelServerError, requests.RequestException) as error:
                    failures.append(f"{name}: {error}")

    thread = threading.Thread(target=call)
    thread.start()
    try:
        for name in ("second", "third"):
            renewed, before = plant.sign(name), dict(answered)
            put(renewed.certificate, server.files.certificate)  # for a moment, certificate and key do not match
            put(renewed.key, server.files.key)
            serial = serial_in(renewed.certificate)
            wait_until(lambda serial=serial: server.serials(caller) == [serial, serial])
            wait_until(lambda before=before: all(answered[name] > count for name, count in before.items()))
    finally:
        ended.set()
        thread.join()
    assert failures == []


@pytest.mark.parametrize("wrong", ["no certificate", "another key", "gone"])
def test_a_broken_file_keeps_the_certificate_and_is_logged(
    server: Server, plant: Authority, caller: Pair, wrong: str
) -> None:
    before = server.serials(caller)
    kept = server.files.certificate.read_bytes(), server.files.key.read_bytes()
    logged = server.log.read_text().count("new connections still get the previous certificate")
    if wrong == "no certificate":
        server.files.certificate.write_text("-----BEGIN CERTIFICATE-----\nhalf of it")
    elif wrong == "another key":
        put(plant.sign("other").key, server.files.key)
    else:
        server.files.key.unlink()
    words = {"gone": "server.key cannot be read: No such file"}.get(wrong, "are not a certificate and its key")
    wait_until(lambda: server.log.read_text().count("new connections still get the previous certificate") > logged)
    assert words in server.log.read_text().splitlines()[-1]
    assert server.serials(caller) == before
    assert server.client.predict("pump", [ASSETS[0]], ROWS).version == 1

    server.files.certificate.write_bytes(kept[0])
    server.files.key.write_bytes(kept[1])
    renewed = plant.sign("mended")
    put(renewed.certificate, server.files.certificate)
    put(renewed.key, server.files.key)
    serial = serial_in(renewed.certificate)
    wait_until(lambda: server.serials(caller) == [serial, serial])
    assert kept[1].decode().splitlines()[1] not in server.log.read_text()


def test_callers_of_another_authority_are_let_in_and_those_of_the_old_one_no_more(
    server: Server, plant: Authority, caller: Pair, tmp_path: Path
) -> None:
    successor = Authority(tmp_path, "successor")
    newcomer = successor.sign("newcomer")
    old = Credentials(str(plant.ca), str(caller.certificate), str(caller.key))
    new = Credentials(str(plant.ca), str(newcomer.certificate), str(newcomer.key))
    assert OLD_CALLERS in why_not_serving(server.client.address, credentials=new)
    put(successor.ca, server.client_ca)
    try:
        wait_until(lambda: is_serving(server.client.address, credentials=new))
        assert OLD_CALLERS in why_not_serving(server.client.address, credentials=old)
        url, pair = f"{server.rest}/v1/models/pump", (str(newcomer.certificate), str(newcomer.key))
        assert requests.get(url, verify=str(plant.ca), cert=pair, timeout=60).status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(url, verify=str(plant.ca), cert=(str(caller.certificate), str(caller.key)), timeout=60)
        assert server.client.predict("pump", [ASSETS[0]], ROWS).version == 1, "open connections must stay open"
    finally:
        put(plant.ca, server.client_ca)
        wait_until(lambda: is_serving(server.client.address, credentials=old))
