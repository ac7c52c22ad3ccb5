"""TLS and mTLS between the model server and all its callers: gRPC, REST, commands and the stream job."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
import requests
from support.certificates import Authority, Pair
from support.model_server import READY, publish, served
from support.small_models import ASSETS, SENSORS, SITE, WINDOW, release, write_version

from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import Predictor
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.serving import local, promotion
from eugenie_cli.serving.health import is_serving
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import package
from eugenie_cli.streaming.served_models import query_models
from eugenie_cli.streaming.submit import check_models
from eugenie_cli.tfserving.async_client import AsyncPredictClient
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.tfserving.errors import ModelServerError

pytestmark = pytest.mark.integration

ROWS = np.ones((1, WINDOW, SENSORS), np.float32)
SCORE = 1000 + WINDOW * SENSORS


@dataclass(frozen=True)
class Pki:
    """An authority with its certificates, and another authority with its own caller."""

    ca: Path
    server: Pair
    caller: Pair
    other_ca: Path
    stranger: Pair

    def flags(self, mutual: bool) -> list[str]:
        flags = ["--tls-certificate", str(self.server.certificate), "--tls-key", str(self.server.key)]
        return [*flags, "--tls-client-ca", str(self.ca)] if mutual else flags

    def shown(self, pair: Pair | None = None) -> Credentials:
        """Credentials with the authority, with or without a certificate."""
        return Credentials(str(self.ca), *((str(pair.certificate), str(pair.key)) if pair else (None, None)))

    @property
    def secrets(self) -> list[str]:
        return [pair.key.read_text().splitlines()[1] for pair in (self.server, self.caller)]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    plant, other = Authority(folder / "plant", "plant-ca"), Authority(folder / "other", "other-ca")
    return Pki(plant.ca, plant.sign("server"), plant.sign("caller"), other.ca, other.sign("stranger"))


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("versions")
    write_version(root, "pump", 1)
    return root / "pump"


@pytest.fixture(scope="module", params=["tls", "mtls"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, versions: Path, pki: Pki):
    """(an accepted client, URL of REST, whether callers need a certificate)."""
    root, mutual = tmp_path_factory.mktemp(request.param), request.param == "mtls"
    publish(versions, root / "models" / "pump", 1)
    flags = ["--models", str(root / "models"), "--unreleased", "--rest-port", "0", *pki.flags(mutual)]
    with served(root, *flags, credentials=pki.shown(pki.caller)) as client:
        yield client, json.loads((root / READY).read_text())["rest"], mutual


def refusal(address: str, credentials: Credentials | None) -> ModelServerError:
    with PredictClient(address, credentials) as client, pytest.raises(ModelServerError) as refused:
        client.status("pump", timeout=20)
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE and refused.value.retryable
    return refused.value


def test_those_who_are_let_in_get_their_answers(server, pki: Pki) -> None:
    client, _, mutual = server
    assert client.predict("pump", [ASSETS[0]], ROWS).score.tolist() == [[SCORE]]
    assert client.begin("pump", [ASSETS[0]], ROWS).result().version == 1
    assert [version.state for version in client.status("pump")] == ["AVAILABLE"]
    assert is_serving(client.address, credentials=pki.shown(pki.caller))

    async def asked() -> int:
        async with AsyncPredictClient(client.address, pki.shown(pki.caller)) as other:
            return (await other.predict("pump", [ASSETS[0]], ROWS)).version

    assert asyncio.run(asked()) == 1
    if not mutual:
        with PredictClient(client.address, pki.shown()) as without_certificate:
            assert without_certificate.status("pump")


def test_those_who_are_not_are_told_why(server, pki: Pki) -> None:
    client, _, mutual = server
    address, ca = client.address, pki.shown(pki.caller)
    assert refusal(address, replace(ca, ca=str(pki.other_ca))).tls == (
        f"its certificate is not signed by {pki.other_ca}, or has expired"
    )
    assert "the system's authorities" in refusal(address, Credentials()).tls
    assert refusal(address, None).tls == "it hung up: it may speak TLS"
    by_name = address.replace("127.0.0.1", "localhost")
    assert refusal(by_name, ca).tls == "its certificate is for other names"
    assert str(refusal(by_name, ca)).startswith(f"model server {by_name}: UNAVAILABLE: its certificate is for")
    if mutual:
        assert refusal(address, pki.shown()).tls == "it hung up: it may require a certificate from its callers"
        stranger = pki.shown(pki.stranger)
        assert refusal(address, stranger).tls == f"it hung up: it may reject {pki.stranger.certificate}"


def test_rest_is_https_with_the_same_certificates(server, pki: Pki) -> None:
    _, url, mutual = server
    assert url.startswith("https://127.0.0.1:")
    body = {"instances": [{"asset": ASSETS[0], "rows": ROWS[0].tolist()}]}
    shown = (str(pki.caller.certificate), str(pki.caller.key))
    for path in ("/v1/models/pump", "/monitoring/prometheus/metrics"):
        assert requests.get(f"{url}{path}", verify=str(pki.ca), cert=shown, timeout=60).status_code == 200
    answer = requests.post(f"{url}/v1/models/pump:predict", json=body, verify=str(pki.ca), cert=shown, timeout=60)
    assert answer.json()["predictions"][0]["score"] == [SCORE]
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{url}/v1/models/pump", timeout=60)  # the system does not know this authority
    if mutual:
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(f"{url}/v1/models/pump", verify=str(pki.ca), timeout=60)
    else:
        assert requests.get(f"{url}/v1/models/pump", verify=str(pki.ca), timeout=60).status_code == 200


def test_a_caller_with_tls_is_told_of_a_server_without(tmp_path: Path, versions: Path, pki: Pki) -> None:
    publish(versions, tmp_path / "models" / "pump", 1)
    with served(tmp_path, "--models", str(tmp_path / "models"), "--unreleased") as client:
        assert refusal(client.address, pki.shown()).tls == "it does not speak TLS"


@pytest.mark.parametrize("wrong", ["another key", "a key that is gone", "no key"])
def test_a_server_with_wrong_files_ends_in_words(tmp_path: Path, pki: Pki, wrong: str) -> None:
    flags = {
        "another key": [*pki.flags(False)[:3], str(pki.caller.key)],
        "a key that is gone": [*pki.flags(False)[:3], str(tmp_path / "gone.key")],
        "no key": pki.flags(False)[:2],
    }[wrong]
    command = [sys.executable, "-m", "eugenie_cli.model_server", "--port", "0", "--models", str(tmp_path), *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    code, words = {
        "another key": (1, f"TLS: {pki.server.certificate} and {pki.caller.key} are not a certificate and its key"),
        "a key that is gone": (1, "gone.key cannot be read: No such file"),
        "no key": (2, "--tls-certificate and --tls-key must be given together"),
    }[wrong]
    assert (ended.returncode, words in ended.stderr) == (code, True), ended.stderr


# -- a site --------------------------------------------------------------------------------------------------


def written(folder: Path, serving: str) -> Path:
    """A site file with that section, at `folder/site-configs/small.yaml`."""
    path = folder / "site-configs" / "small.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{SITE}serving: {serving}\n")
    return path


def of_a_caller(pki: Pki) -> str:
    return f"ca: {pki.ca}, client_certificate: {pki.caller.certificate}, client_key: {pki.caller.key}"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, versions: Path, pki: Pki) -> Iterator[Site]:
    """A site whose own server requires certificates, started."""
    folder = tmp_path_factory.mktemp("own")
    tls = f"certificate: {pki.server.certificate}, key: {pki.server.key}, client_ca: {pki.ca}, {of_a_caller(pki)}"
    site = load_site(written(folder, f"{{tls: {{{tls}}}}}"))
    publish(versions, workspace_of(site).models / "pump", 1)
    release(workspace_of(site).models, "pump", 1)
    try:
        started = local.start(site)
        assert started.state == "running"
        yield site
    finally:
        local.stop(site)


def test_the_sites_own_server_is_started_with_paths_and_asked_with_a_certificate(own: Site, pki: Pki) -> None:
    status = local.status(own)
    assert status.state == "running"
    assert [(model.name, model.version, model.state) for model in status.models] == [("pump", 1, "AVAILABLE")]
    assert refusal(status.address, None).tls and refusal(status.address, pki.shown()).tls
    with PredictClient(status.socket) as by_socket:  # only for its owner, and without TLS
        assert by_socket.status("pump")
    assert status.pid is not None
    line = " ".join(psutil.Process(status.pid).cmdline())
    assert str(pki.server.key) in line
    kept = [line, *(path.read_text() for path in workspace_of(own).run.glob("*.json")), Path(status.log).read_text()]
    assert not any(secret in text for secret in pki.secrets for text in kept)


def test_a_server_that_runs_is_not_stopped_because_the_site_file_changed(own: Site, pki: Pki) -> None:
    before = local.status(own)
    for tls in (None, own.serving.tls.model_copy(update={"ca": str(pki.other_ca)}) if own.serving.tls else None):
        changed = own.model_copy(update={"serving": own.serving.model_copy(update={"tls": tls})})
        with pytest.raises(EugenieError, match="runs but does not answer eugenie: it") as refused:
            local.start(changed)
        assert "eugenie serve stop" in (refused.value.hint or "")
        assert local.status(changed).state == "not answering"
        with pytest.raises(EugenieError, match="runs but does not answer eugenie: it"):
            promotion.release(changed, "pump", 1)
    assert local.start(own).pid == before.pid


def external(folder: Path, own: Site, tls: str) -> Site:
    address = endpoints.model_server(own)
    return load_site(written(folder, f"{{address: '{address}'{f', tls: {{{tls}}}' if tls else ''}}}"))


def test_a_site_that_calls_a_server_elsewhere_needs_the_callers_files_alone(
    tmp_path: Path, own: Site, pki: Pki
) -> None:
    site = external(tmp_path, own, of_a_caller(pki))
    assert local.start(site).state == "reachable"
    check_models(site)
    assert query_models(site).models == {"pump": 1}


@pytest.mark.parametrize("tls", ["none", "no ca", "no certificate", "gone"])
def test_a_caller_that_is_not_let_in_is_told_so_with_exit_code_4(tmp_path: Path, own: Site, pki: Pki, tls: str) -> None:
    given, words = {
        "none": ("", "it requires TLS"),
        "no ca": (of_a_caller(pki).split(", ", 1)[1], "its certificate is not signed by the system's authorities"),
        "no certificate": (f"ca: {pki.ca}", "it requires a client certificate, but none was presented"),
        "gone": ("ca: gone.pem", "gone.pem cannot be read: No such file"),
    }[tls]
    site = external(tmp_path, own, given)
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("eugenie")), "serve", "start", "--site", str(site.file)],
        capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "400"}, check=False,
    )  # fmt: skip
    assert ended.returncode == ExitCode.UNREACHABLE, ended.stderr
    assert words in ended.stderr and "serving.tls" in ended.stderr
    assert "ssl_transport_security" not in ended.stderr, "gRPC reports it a second time"
    with pytest.raises(EugenieError, match=re.escape(words)) as refused:
        check_models(site)
    assert refused.value.exit_code is (ExitCode.INVALID_SITE if tls == "gone" else ExitCode.UNREACHABLE)


def test_a_server_that_eugenie_itself_could_not_call_is_not_left_behind(
    tmp_path: Path, versions: Path, pki: Pki
) -> None:
    tls = f"certificate: {pki.server.certificate}, key: {pki.server.key}, ca: {pki.other_ca}"
    site = load_site(written(tmp_path, f"{{tls: {{{tls}}}}}"))
    publish(versions, workspace_of(site).models / "pump", 1)
    release(workspace_of(site).models, "pump", 1)
    with pytest.raises(EugenieError, match="does not answer eugenie: its certificate is not signed by") as refused:
        local.start(site)
    assert refused.value.exit_code is ExitCode.UNREACHABLE
    assert local.status(site).state == "stopped"
    wrong = load_site(written(tmp_path, f"{{tls: {{certificate: {pki.server.certificate}, key: {pki.caller.key}}}}}"))
    with pytest.raises(EugenieError, match=r"serving\.tls\.key: does not belong to the certificate"):
        local.start(wrong)


# -- the stream job ------------------------------------------------------------------------------------------


def test_the_job_calls_with_the_callers_files_and_is_told_their_paths_alone(
    tmp_path: Path, own: Site, pki: Pki
) -> None:
    site = external(tmp_path, own, of_a_caller(pki))
    site = site.model_copy(update={"kafka": site.kafka.model_copy(update={"bootstrap": "127.0.0.1:9"})})
    written_job = package.write(package.job_spec(site, "latest"), tmp_path / "job")
    assert not any(secret in written_job.spec.read_text() for secret in pki.secrets)
    with zipfile.ZipFile(written_job.code) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".pem", ".key"))]
    alone = {**os.environ, "PYTHONPATH": str(written_job.code), "PYTHONSAFEPATH": "1"}
    code = "import eugenie_cli.flink_job.predict as one; print(one.__file__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=alone, check=True)
    assert str(written_job.code) in run.stdout, "the zip must contain all that it needs"

    spec = JobSpec.load(written_job.spec)
    assert spec.model_server_tls == pki.shown(pki.caller)
    predictor = Predictor(spec, lambda windows, millis: None)
    counts = np.ones((1, 1), np.int32)
    batch = Batch(
        "pump", (ASSETS[0],), np.zeros(1, np.int64), 1_000, ROWS, counts, np.zeros_like(counts), np.zeros(1, np.int64)
    )
    try:
        (scored,) = predictor.scored([batch])
    finally:
        predictor.close()
    assert scored.score.tolist() == [[SCORE]]


def test_a_job_on_the_servers_machine_takes_the_socket_and_no_certificate(own: Site) -> None:
    site = own.model_copy(update={"kafka": own.kafka.model_copy(update={"bootstrap": "127.0.0.1:9"})})
    spec = package.job_spec(site, "latest")
    assert (spec.model_server, spec.model_server_tls) == (endpoints.model_socket(own), None)
    elsewhere = site.model_copy(update={"stream": site.stream.model_copy(update={"flink": "http://flink:8081"})})
    spec = package.job_spec(elsewhere, "latest")
    assert (spec.model_server, spec.model_server_tls is None) == (endpoints.model_server(own), False)
