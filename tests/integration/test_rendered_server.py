"""Files rendered for TensorFlow Serving, used on a server with its API: list of models, health check."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.model_server import READY, served
from support.small_models import write_version

from eugenie_cli.deploy import compose, model_server
from eugenie_cli.deploy.request import Request
from eugenie_cli.deploy.store_location import StoreLocation
from eugenie_cli.deploy.versions import released
from eugenie_cli.serving import release_config as record
from eugenie_cli.serving.release_config import exported
from eugenie_cli.serving.server_config import METRICS_PATH, ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

pytestmark = pytest.mark.integration

SITE = {
    "site": "small",
    "classes": {"pump": {"sensors": [{"name": name} for name in "abc"]}},
    "assets": {"pump-101": {"class": "pump"}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """(the rendered request, ports of a server with the rendered list of models)."""
    root = tmp_path_factory.mktemp("rendered")
    site = Site.model_validate(SITE).model_copy(update={"base": root, "workspace": str(root)})
    folder = workspace_of(site).models
    write_version(folder, "pump", 1)
    write_version(folder, "pump", 2)
    record.write(site, {"pump": ReleasedModel("pump", "", (1,), {"champion": 1})})
    request = Request(site, StoreLocation("folder", str(folder)), released(site), exported(site))
    text = model_server.files(request, threads=1)[model_server.MODEL_CONFIG]
    config = root / "models.config"
    config.write_text(text.replace(f'"{model_server.MODELS_FOLDER}/', f'"{folder}/'))
    with served(root, "--model-config", str(config), "--rest-port", "0") as client:
        yield request, json.loads((root / READY).read_text())["rest"], client


def test_the_list_of_models_serves_the_released_version_and_not_the_newest(server):
    _, _, client = server
    assert [(version.version, version.state) for version in client.status("pump")] == [(1, "AVAILABLE")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the image has bash, this machine has not")
def test_the_health_check_of_the_container(server, unused_port):
    _, rest, _ = server

    def healthy(port: int | str, path: str = METRICS_PATH) -> bool:
        program, *arguments = compose.health_check()
        arguments = [argument.replace(f"/{model_server.REST_PORT}", f"/{port}") for argument in arguments]
        arguments = [argument.replace(METRICS_PATH, path) for argument in arguments]
        return subprocess.run([program, *arguments], capture_output=True, timeout=60).returncode == 0

    port = rest.rpartition(":")[2]
    assert healthy(port)
    assert not healthy(port, "/v1/models/valve")  # anything but status 200
    assert not healthy(unused_port)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_docker_compose_itself_reads_the_file(server, tmp_path):
    """`docker compose config` checks more than the schema: every name must resolve."""
    probe = subprocess.run(["docker", "compose", "version"], capture_output=True) if shutil.which("docker") else None
    if probe is None or probe.returncode != 0:
        pytest.skip("no docker compose here")
    request, _, _ = server
    for document in compose.documents(request):
        path = Path(tmp_path / document.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.text)
    subprocess.run(["docker", "compose", "--file", str(tmp_path / compose.FILE), "config", "--quiet"], check=True)
