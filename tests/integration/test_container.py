"""The model server in a container of a real Docker engine: started, killed, upgraded, refused and stopped."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from support import serving_image
from support.debian_packages import Unavailable
from support.docker_engine import docker_engine
from support.image_registry import image_registry
from support.model_server import wait_until
from support.small_models import ASSETS, SENSORS, SITE, WINDOW
from typer.testing import CliRunner

from eugenie_cli.engines import container_record, endpoints
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.engines.job_record import save as save_job
from eugenie_cli.engines.process import read_run_file
from eugenie_cli.errors import EugenieError
from eugenie_cli.main import app
from eugenie_cli.operations.down import down
from eugenie_cli.operations.status import started
from eugenie_cli.progress import Advance, Silent
from eugenie_cli.serving import model_info, promotion, runtime
from eugenie_cli.serving.container import blue_green, image, launch, rendering
from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.container.logs import logs
from eugenie_cli.serving.container.spec import HEALTH, REST_PORT, ContainerSpec, specify
from eugenie_cli.serving.status import ServingStatus
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError

pytestmark = pytest.mark.integration

IMAGE, NEWER = "stand-in:1", "stand-in:2"
BROKEN, TREACHEROUS = "stand-in:broken", "stand-in:treacherous"


def program(script: str) -> str:
    """A line of a Dockerfile that makes `script` the server."""
    path = "/usr/bin/tensorflow_model_server"
    return f"RUN printf '#!/bin/bash\\n{script}\\n' > {path}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """An engine with the tests' images; DOCKER_HOST names it."""
    folder = tmp_path_factory.mktemp("engine")
    try:
        with docker_engine(folder) as url, pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", url)
            # like TensorFlow Serving, the stand-in ignores SIGTERM: each stop takes the full timeout
            patch.setattr(launch, "STOP_S", 1)
            client = docker.DockerClient(base_url=url)
            serving_image.build(client, IMAGE, folder / "image")
            serving_image.derived(client, IMAGE, NEWER, "LABEL release=2")
            serving_image.derived(client, IMAGE, BROKEN, program("echo there is no such flag; exit 1"))
            refuses = "[[ -e /models/.refuse ]] && echo refused && exit 3"
            serving_image.derived(client, IMAGE, TREACHEROUS, program(f'{refuses}\\nexec stand-in "$@"'))
            yield client
            assert client.containers.list(all=True) == [], "a test left a container behind"
            client.close()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def site(tmp_path: Path, engine: docker.DockerClient) -> Iterator[Site]:
    """A site with one released version; its container must be gone at the end."""
    (tmp_path / "plant.yaml").write_text(
        f"{SITE}serving: {{runtime: docker, image: '{IMAGE}', poll: 1s, rest_port: 0}}\n"
    )
    opened = load_site(tmp_path / "plant.yaml")
    export(opened, 1)
    promotion.release(opened, "pump", 1)
    yield opened
    runtime.stop(opened)
    assert engine.containers.list(all=True) == []


def export(site: Site, version: int, class_name: str = "pump") -> None:
    """Publish what the stand-in needs of an exported version, by a rename."""
    folder = workspace_of(site).models / class_name
    hidden = folder / f".{version}"
    info = model_info.ModelInfo(
        class_name, version, ("a", "b", "c"), ("",) * 3, WINDOW, (1,), 1_000, 5_000, ASSETS, "run", "data"
    )
    (hidden / model_info.LOCATION).parent.mkdir(parents=True)
    (hidden / model_info.LOCATION).write_text(model_info.render(info))
    hidden.rename(folder / str(version))


def with_serving(site: Site, **serving: Any) -> Site:
    return site.model_copy(update={"serving": site.serving.model_copy(update=serving)})


def version_at(address: str) -> int:
    """The version that answers, after checking its answer."""
    rows = np.ones((2, WINDOW + 3, SENSORS), np.float32)
    with PredictClient(address) as client:
        answer = client.predict("pump", list(ASSETS), rows)
    np.testing.assert_array_equal(answer.score, np.full((2, 4), WINDOW * SENSORS + 1000.0 * answer.version))
    return answer.version


def container_of(engine: docker.DockerClient, status: ServingStatus) -> Any:
    assert status.container is not None
    return engine.containers.get(status.container.id)


class Heard(Silent):
    """A Progress that remembers its messages, and calls a function when one contains certain words."""

    def __init__(self, words: str = "", act: Any = None) -> None:
        self.lines: list[str] = []
        self.tasks: list[str] = []
        self._words, self._act = words, act

    def task(self, label: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        self.tasks.append(label)
        return super().task(label, total, unit)

    def say(self, message: str) -> None:
        self.lines.append(message)
        if self._act is not None and self._words in message:
            self._act()


def test_it_is_started_serves_new_versions_is_restarted_after_a_kill_and_stopped(
    site: Site, engine: docker.DockerClient
) -> None:
    assert runtime.status(site).state == "stopped"
    with pytest.raises(EugenieError, match="is not running"):
        endpoints.model_server(site)

    first = runtime.start(site)
    assert (first.state, [(model.name, model.version, model.state) for model in first.models]) == (
        "running",
        [("pump", 1, "AVAILABLE")],
    )
    assert first.container is not None
    assert first.container.image == IMAGE
    wait_until(lambda: container_of(engine, first).attrs["State"]["Health"]["Status"] == "healthy")
    assert "Traceback" not in "\n".join(runtime.logs(site)), "a health check must end cleanly"
    assert endpoints.model_server(site) == first.address
    assert endpoints.model_socket(site) is None
    assert version_at(first.address) == 1
    assert started(site) == {"serving": True}

    same = runtime.start(site)
    assert same.container is not None and same.container.id == first.container.id, "a second start must do nothing"

    export(site, 2)  # a challenger: not released
    time.sleep(2.5)  # the server has checked the folder and its configuration since
    assert version_at(first.address) == 1
    assert promotion.release(site, "pump", 2)
    assert version_at(first.address) == 2

    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: runtime.status(site).pid not in (first.pid, None))
    wait_until(lambda: is_answered(first.address))
    again = runtime.status(site)
    assert again.container is not None
    assert (again.container.id, again.container.restarts) == (first.container.id, 1)
    assert not runtime.revive(site), "Docker itself restarts it"

    log_lines = list(runtime.logs(site, lines=2))
    assert len(log_lines) == 2 and "Exporting HTTP/REST API" in log_lines[1]

    assert runtime.stop(site)
    assert not runtime.stop(site)
    assert runtime.status(site).state == "stopped"
    assert started(site) == {}
    assert sorted(path.name for path in workspace_of(site).run.iterdir()) == [".serving.lock", "ports.json"]
    assert runtime.start(site).address == first.address, "the port must be kept across restarts"


def is_answered(address: str) -> bool:
    try:
        return version_at(address) > 0
    except ModelServerError as error:
        assert error.retryable
        return False


def test_champions_change_in_a_container_as_anywhere(site: Site) -> None:
    """The label moves only after the version has loaded: the server accepts nothing else."""
    address = runtime.start(site).address
    export(site, 2)
    assert promotion.release(site, "pump", 2)
    with PredictClient(address) as client:
        assert [version.version for version in client.status("pump")] == [2]
        assert client.metadata("pump", "champion").version == version_at(address) == 2
        assert promotion.release(site, "pump", 1)
        assert client.metadata("pump", "champion").version == version_at(address) == 1


def test_it_may_do_nothing_but_serve(site: Site, engine: docker.DockerClient) -> None:
    container = container_of(engine, runtime.start(site))

    def said(script: str) -> str:
        return container.exec_run(["bash", "-c", script])[1].decode()

    status = said('while read -r name value _; do [[ $name =~ ^(Uid|Cap...|NoNewPrivs) ]] && echo "$name$value"; done '
                  "< /proc/1/status").split()  # fmt: skip
    assert status == [
        "Uid:65534", "CapInh:0000000000000000", "CapPrm:0000000000000000", "CapEff:0000000000000000",
        "CapBnd:0000000000000000", "CapAmb:0000000000000000", "NoNewPrivs:1",
    ]  # fmt: skip
    for folder in ("/", "/models", "/config", "/models/pump/1"):
        assert "Read-only file system" in said(f"echo > {folder}/written"), folder
    assert said("echo kept > /tmp/written && read -r word < /tmp/written && echo $word") == "kept\n"
    for port, well in ((REST_PORT, True), (9, False)):
        code, _ = container.exec_run(["/bin/sh", "-c", HEALTH.format(port=port)])
        assert (code == 0) is well, "the health check must detect a missing server"
    host = container.attrs["HostConfig"]
    bound = {binding["HostIp"] for given in host["PortBindings"].values() for binding in given}
    assert bound == {"127.0.0.1"}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


def test_the_command_line_makes_the_same_container_as_the_sdk(
    site: Site, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """Both are passed to the engine, which says what it understood."""
    gpus = (None, GpuRequest(count=-1), GpuRequest(count=2), GpuRequest(ids=("0", "GPU-5e")))
    for number, request in enumerate(gpus):
        folder = tmp_path / 'a "strange", folder'
        folder.mkdir(exist_ok=True)
        spec = replace(specify(site).reached_at({8500: 28500, 8501: 28501}), gpus=request, environment={"A": "b c"})
        spec = replace(spec, mounts=tuple(replace(mount, source=str(folder)) for mount in spec.mounts))
        by_sdk = launch.create(engine, replace(spec, name=f"sdk-{number}"))
        _, _, _, *options = shlex.split(rendering.shell_line(replace(spec, name=f"cli-{number}")).replace("\\\n", ""))
        subprocess.run(["docker", "create", *options], check=True, capture_output=True)
        by_line = engine.containers.get(f"cli-{number}")
        try:
            assert understood(by_sdk) == understood(by_line)
        finally:
            by_sdk.remove()
            by_line.remove()


def understood(container: Any) -> dict[str, Any]:
    """The configuration that the engine received, except what a client sends about its terminal."""
    config = {key: value for key, value in container.attrs["Config"].items() if not key.startswith("Attach")}
    host = {key: value for key, value in container.attrs["HostConfig"].items() if key != "ConsoleSize"}
    del config["Hostname"]
    received = {**config, **{f"Host{key}": value for key, value in host.items()}}
    received["HostDeviceRequests"] = [
        {key: value for key, value in request.items() if value} for request in host["DeviceRequests"] or ()
    ]
    # clients write "nothing" as null, as an empty list, or as -1
    return {key: value for key, value in received.items() if value not in (None, [], {}, "", 0, -1, False)}


def test_another_image_takes_over_at_another_port_without_a_gap(site: Site, engine: docker.DockerClient) -> None:
    first = runtime.start(site)
    failures: list[str] = []
    answered = 0
    ended = threading.Event()

    def call() -> None:
        nonlocal answered
        while not ended.is_set():
            try:
                version_at(endpoints.model_server(site))
                answered += 1
            except (ModelServerError, EugenieError) as error:
                failures.append(str(error))

    caller = threading.Thread(target=call)
    caller.start()
    try:
        newer = with_serving(site, image=NEWER)
        progress = Heard()
        second = runtime.start(newer, progress)
    finally:
        ended.set()
        caller.join()
    assert second.container is not None and first.container is not None
    assert (second.container.image, second.state) == (NEWER, "running")
    assert second.address != first.address and second.container.id != first.container.id
    assert len(engine.containers.list(all=True)) == 1
    assert (
        progress.lines[-1] == f"the model server answers at {second.address}; the previous address was {first.address}"
    )
    assert answered > 10
    assert failures == []
    runtime.stop(newer)
    assert runtime.start(newer).address == second.address


def test_an_image_that_does_not_serve_leaves_the_old_one_serving(site: Site, engine: docker.DockerClient) -> None:
    first = runtime.start(site)
    with pytest.raises(EugenieError) as failed:
        runtime.start(with_serving(site, image=BROKEN))
    assert f"the old container keeps serving at {first.address}" in failed.value.reason
    assert "there is no such flag" in failed.value.reason, "the container's log must be shown"
    now = runtime.status(site)
    assert now.state == "running" and now.pid == first.pid
    assert len(engine.containers.list(all=True)) == 1
    assert not (workspace_of(site).run / "serving-green").exists()
    assert version_at(first.address) == 1


def test_an_address_that_a_stream_job_holds_stays_where_it_is(site: Site, engine: docker.DockerClient) -> None:
    first = runtime.start(site)
    save_job(workspace_of(site), JobRecord("job", "http://127.0.0.1:1", shape={"model_server": first.address}))
    progress = Heard()
    second = runtime.start(with_serving(site, image=NEWER), progress)
    assert second.container is not None
    assert (second.address, second.container.image) == (first.address, NEWER)
    assert blue_green.SWAPPING in progress.lines
    assert version_at(first.address) == 1


def test_a_swap_that_fails_is_turned_back(site: Site, engine: docker.DockerClient) -> None:
    first = runtime.start(site)
    port = int(first.address.rpartition(":")[2])
    refuse = workspace_of(site).models / ".refuse"
    progress = Heard(blue_green.SWAPPING, refuse.touch)
    with pytest.raises(EugenieError) as failed:
        runtime.start(with_serving(site, image=TREACHEROUS, port=port), progress)
    assert f"the old container serves again at {first.address}" in failed.value.reason
    assert "refused" in failed.value.reason, "the container's log must be shown"
    now = runtime.status(site)
    assert now.container is not None and first.container is not None
    assert (now.state, now.container.id) == ("running", first.container.id)
    assert len(engine.containers.list(all=True)) == 1
    assert version_at(first.address) == 1


def test_a_first_start_that_fails_leaves_nothing(site: Site, engine: docker.DockerClient) -> None:
    with pytest.raises(EugenieError, match="there is no such flag"):
        runtime.start(with_serving(site, image=BROKEN))
    assert_nothing_left(site, engine)
    with pytest.raises(EugenieError, match="cannot be pulled") as absent:
        runtime.start(with_serving(site, image="127.0.0.1:1/no-such-image:1"))
    assert "docker load" in str(absent.value.hint)
    with pytest.raises(EugenieError, match="is not present locally, and --offline forbids pulling it") as offline:
        runtime.start(with_serving(site, image="no-such-image:1"), offline=True)
    assert "docker load -i" in str(offline.value.hint)
    assert_nothing_left(site, engine)


def test_an_image_is_pulled_by_its_tag_and_by_its_digest(engine: docker.DockerClient, tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(__file__, "file")
    try:
        with image_registry(tmp_path) as registry:
            name = f"{registry}/plant/serving"
            engine.api.import_image_from_data(content.getvalue(), repository=name, tag="3")
            imported = engine.images.get(f"{name}:3")
            pushed = [json.loads(line) for line in engine.images.push(name, "3").splitlines()]
            digest = next(line["aux"]["Digest"] for line in pushed if "aux" in line)
            for reference, tags in ((f"{name}:3", [f"{name}:3"]), (f"{name}@{digest}", []), (f"{name}:3@{digest}", [])):
                engine.images.remove(imported.id, force=True)
                progress = Heard()
                assert image.provide(engine, reference, progress, offline=False).id == imported.id
                assert progress.tasks == [f"pulling {reference}"]
                assert engine.images.get(imported.id).tags == tags, "nothing else may be pulled"
                assert image.provide(engine, reference, Silent(), offline=True).id == imported.id
            for reference in (f"{name}:4", f"{registry}/plant/other:3"):
                with pytest.raises(EugenieError, match=f"image {re.escape(reference)} cannot be pulled: .*unknown"):
                    image.provide(engine, reference, Silent(), offline=False)
            engine.images.remove(imported.id, force=True)
    except Unavailable as error:
        pytest.skip(str(error))


def assert_nothing_left(site: Site, engine: docker.DockerClient) -> None:
    assert engine.containers.list(all=True) == []
    assert container_record.read(workspace_of(site)) is None
    left = {path.name for path in workspace_of(site).run.iterdir()}
    assert left <= {".serving.lock", "ports.json"}


def test_gpus_that_are_not_there_are_named_and_nothing_is_left(site: Site, engine: docker.DockerClient) -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has a GPU")
    greedy = with_serving(site, gpus="all", image=IMAGE)
    with pytest.raises(EugenieError, match="requests all GPUs, but no NVIDIA driver is loaded on this machine"):
        runtime.start(greedy)
    # the driver disappears between check and start: the engine's own error, as a message
    spec: ContainerSpec = specify(greedy).reached_at({8500: 28500, 8501: 28501})
    with pytest.raises(EugenieError, match="has no driver for all GPUs: could not select device driver") as refused:
        blue_green.begin(engine, greedy, spec, Silent())
    assert "NVIDIA Container Toolkit" in str(refused.value.hint)
    assert_nothing_left(site, engine)


def test_a_start_that_was_killed_is_cleared_by_the_next(site: Site, engine: docker.DockerClient) -> None:
    spec = specify(site, "green").reached_at({8500: 28500, 8501: 28501})
    left = blue_green.begin(engine, site, spec, Silent())
    assert container_record.read(workspace_of(site)) is None, "it was killed before it wrote the record"
    started = runtime.start(site)
    assert [container.id for container in engine.containers.list(all=True)] == [container_of(engine, started).id]
    assert left.id != container_of(engine, started).id


def test_a_container_that_somebody_removed_is_revived_at_its_address(site: Site, engine: docker.DockerClient) -> None:
    first = runtime.start(site)
    container_of(engine, first).remove(force=True)
    assert runtime.status(site).state == "crashed"
    assert started(site) == {"serving": False}
    assert runtime.revive(site)
    assert runtime.status(site).address == first.address
    assert down(site) == ["serving"]
    assert started(site) == {}


def test_a_class_that_is_exported_later_is_taken_up_without_a_new_start(site: Site, tmp_path: Path) -> None:
    text = (tmp_path / "plant.yaml").read_text()
    text = text.replace("classes:\n", "classes:\n  fan: {sensors: [{name: a}, {name: b}, {name: c}]}\n")
    (tmp_path / "plant.yaml").write_text(text.replace("assets:\n", "assets:\n  fan-1: {class: fan}\n"))
    both = load_site(tmp_path / "plant.yaml")
    first = runtime.start(both)
    assert [model.name for model in first.models] == ["pump"], "a missing model must not keep another from being served"
    export(both, 7, "fan")
    assert "fan: no version is released" in runtime.start(both).unserved[0]
    promotion.release(both, "fan", 7)
    second = runtime.start(both)
    assert second.pid == first.pid
    assert [(model.name, model.version) for model in second.models] == [("fan", 7), ("pump", 1)]


def test_a_site_without_a_model_is_served_too(site: Site, tmp_path: Path) -> None:
    empty = site.model_copy(update={"workspace": tmp_path / "empty"})
    try:
        assert (runtime.start(empty).state, runtime.start(empty).models) == ("running", ())
    finally:
        runtime.stop(empty)


def test_the_commands(site: Site, tmp_path: Path, engine: docker.DockerClient) -> None:
    file = str(site.file)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, [*words, "--site", file])

    shown = run("serve", "start", "--dry-run")
    assert shown.exit_code == 0 and shown.stdout.startswith("docker run --detach")
    assert engine.containers.list(all=True) == []
    assert not workspace_of(site).run.exists(), "a dry run must change nothing"

    assert run("serve", "start", "--offline").exit_code == 0
    wait_until(lambda: "healthy" in run("serve", "status").stdout)
    table = run("serve", "status")
    assert all(word in table.stdout for word in ("running", "healthy", IMAGE, "AVAILABLE")), table.stdout
    document = json.loads(CliRunner().invoke(app, ["serve", "status", "--site", file, "-o", "json"]).stdout)
    assert document["container"]["image"] == IMAGE and document["container"]["gpus"] == []
    assert "Running gRPC ModelServer" in run("serve", "logs", "--lines", "5").stdout
    assert "serving" in run("status").stdout
    findings = json.loads(CliRunner().invoke(app, ["doctor", "--site", file, "-o", "json"]).stdout)
    assert {check["name"] for check in findings if check["ok"]} >= {"docker", "image", "container", "serving"}

    local = file.replace("plant", "local")
    Path(local).write_text(site.file.read_text().replace("runtime: docker", "runtime: local"))
    refused = CliRunner().invoke(app, ["serve", "start", "--site", local])
    assert "runs in a container" in str(refused.exception)
    assert run("serve", "stop").exit_code == 0


def test_its_log_is_followed_into_the_next_container(site: Site) -> None:
    runtime.start(site)
    lines: list[str] = []
    ended = threading.Event()
    reader = threading.Thread(target=lambda: lines.extend(logs(site, 100, True, ended.is_set)))
    reader.start()
    runtime.start(with_serving(site, image=NEWER))
    runtime.stop(site)
    reader.join(60)
    ended.set()
    assert not reader.is_alive()
    assert sum("Running gRPC ModelServer" in line for line in lines) == 2


def test_a_local_server_is_not_joined_by_a_container(site: Site) -> None:
    from eugenie_cli.engines.launcher import run_file
    from eugenie_cli.engines.process import minimal_env, start_detached

    workspace = workspace_of(site)
    file = run_file(workspace, "serving")
    start_detached("serving", ["sleep", "600"], env=minimal_env(), log=workspace.logs / "serving.log", run_file=file)
    with pytest.raises(EugenieError, match=r"runs as a local process, but serving\.runtime is now docker"):
        runtime.start(site)
    assert runtime.stop(site)
    assert read_run_file(file) is None
