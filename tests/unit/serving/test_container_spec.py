"""The specification of a site's container: its SDK arguments, its command line and its hash."""

from __future__ import annotations

import os
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from typer.testing import CliRunner

from eugenie_cli.engines.container_record import ContainerRecord
from eugenie_cli.engines.container_record import write as write_record
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.engines.job_record import save as save_job
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.main import app
from eugenie_cli.serving import release_config, server_config
from eugenie_cli.serving.container import dry_run, files, image, ports
from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.container.rendering import command_line, sdk_arguments, shell_line
from eugenie_cli.serving.container.spec import GREEN, ContainerSpec, Health, Mount, Published, specify, user
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.protos import config_pb2

GOLDEN = Path(__file__).parents[2] / "golden" / "serving"

DOCUMENT: dict[str, Any] = {
    "site": "north",
    "classes": {"pump": {"sensors": [{"name": "pressure"}]}, "fan": {"sensors": [{"name": "speed"}]}},
    "assets": {"p-1": {"class": "pump"}, "f-1": {"class": "fan"}},
}


def site_of(base: Path, **serving: Any) -> Site:
    document = {**DOCUMENT, "serving": {"runtime": "docker", **serving}}
    return Site.model_validate(document).model_copy(update={"base": base, "file": base / "north.yaml"})


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user runs the command."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1001)


@pytest.mark.usefixtures("caller")
def test_the_command_line_of_a_site_with_everything() -> None:
    settings = {"port": 8500, "rest_port": 8501, "gpus": ["0", "GPU-5e1c"], "memory_fraction": 0.4, "poll": "5s"}
    site = site_of(Path("/plants/north works"), **settings)
    command = shell_line(specify(site)) + "\n"
    assert command == (GOLDEN / "docker-run.txt").read_text()
    assert shlex.split(command.replace("\\\n", " ")) == command_line(specify(site)), "a shell parses the same arguments"


def test_every_field_of_the_specification_is_rendered_in_both_forms(tmp_path: Path) -> None:
    spec = specify(site_of(tmp_path, port=8500))
    others: dict[str, Any] = {
        "name": "other",
        "image": "other:1",
        "user": "7:7",
        "arguments": ("--port=1",),
        "mounts": (Mount("/other", "/models"),),
        "published": (Published(8500, "127.0.0.1", 9),),
        "labels": {**spec.labels, "other": "label"},
        "environment": {"OTHER": "variable"},
        "gpus": GpuRequest(count=-1),
        "entrypoint": "other",
        "health": Health(interval_s=77),
        "read_only": False,
        "tmpfs": {"/other": "rw"},
        "dropped": ("KILL",),
        "security": ("label:disable",),
        "pids": 7,
        "restart": "no",
        "log_options": {"max-size": "7k"},
    }
    assert others.keys() == {field.name for field in fields(ContainerSpec)}
    for name, value in others.items():
        other = replace(spec, **{name: value})
        assert sdk_arguments(other) != sdk_arguments(spec), name
        assert command_line(other) != command_line(spec), name


@pytest.mark.parametrize(
    ("request_", "words", "sdk"),
    [
        (GpuRequest(count=-1), ["--gpus", "all"], {"Count": -1, "Capabilities": [["gpu"]]}),
        (GpuRequest(count=2), ["--gpus", "2"], {"Count": 2, "Capabilities": [["gpu"]]}),
        (
            GpuRequest(ids=("0", "MIG-7a")),
            ["--gpus", '"device=0,MIG-7a"'],
            {"DeviceIDs": ["0", "MIG-7a"], "Capabilities": [["gpu"]]},
        ),
        (
            GpuRequest(ids=("nvidia.com/gpu=0", "nvidia.com/gpu=1"), cdi=True),
            ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=1"],
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]},
        ),
    ],
)
def test_gpus_are_requested_in_the_form_that_an_engine_reads(
    tmp_path: Path, request_: GpuRequest, words: list[str], sdk: dict[str, Any]
) -> None:
    spec = replace(specify(site_of(tmp_path)), gpus=request_)
    line = command_line(spec)
    assert line[line.index(words[0]) : line.index(words[0]) + len(words)] == words
    (device_request,) = sdk_arguments(spec)["device_requests"]
    assert {key: value for key, value in device_request.items() if value} == sdk


def test_the_default_image_is_the_matching_release(tmp_path: Path) -> None:
    assert server_config.image(site_of(tmp_path)) == "tensorflow/serving:2.20.0"
    assert server_config.image(site_of(tmp_path, gpus=1)) == "tensorflow/serving:2.20.0-gpu"
    digest = "plant/serving@sha256:" + "0" * 64
    assert server_config.image(site_of(tmp_path, gpus=1, image=digest)) == digest


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tensorflow/serving", ("tensorflow/serving", "latest")),
        ("tensorflow/serving:2.20.0", ("tensorflow/serving", "2.20.0")),
        ("registry:5000/serving", ("registry:5000/serving", "latest")),
        ("registry:5000/serving:1", ("registry:5000/serving", "1")),
        ("serving@sha256:00", ("serving", "sha256:00")),
        ("registry:5000/serving:1@sha256:00", ("registry:5000/serving", "sha256:00")),
    ],
)
def test_a_name_is_a_repository_and_a_tag_or_digest(name: str, parts: tuple[str, str]) -> None:
    assert image._parts(name) == parts


def test_an_absent_image_is_loaded_by_its_tag() -> None:
    hint = str(image.absent("plant/serving:3@sha256:00").hint)
    assert "docker save plant/serving:3 -o" in hint and "docker load -i" in hint and "has only its tag" in hint


def test_the_server_is_never_root() -> None:
    assert user(1000, 100) == "1000:100"
    assert user(0, 0) == "65534:65534"


def test_the_hash_changes_when_a_new_container_is_needed(tmp_path: Path) -> None:
    plain = specify(site_of(tmp_path)).config_hash
    assert specify(site_of(tmp_path)).config_hash == plain
    assert specify(site_of(tmp_path), GREEN).config_hash == plain, "the hash does not depend on the colour"
    for change in (
        {"image": "other:1"}, {"gpus": 1}, {"port": 8500}, {"rest_port": 0}, {"host": "0.0.0.0"}, {"poll": "5s"},
        {"memory_fraction": 0.5}, {"batching": {}},
    ):  # fmt: skip
        assert specify(site_of(tmp_path, **change)).config_hash != plain, change
    some, more = ({"batching": {"max_batch": number}} for number in (8, 16))
    assert specify(site_of(tmp_path, **some)).config_hash != specify(site_of(tmp_path, **more)).config_hash
    (workspace_of(site_of(tmp_path)).models / "pump" / "1").mkdir(parents=True)
    assert specify(site_of(tmp_path)).config_hash == plain, "a running server loads new models"


def test_the_files_name_the_released_versions_that_exist(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    models = workspace_of(site).models
    (models / "pump" / "3").mkdir(parents=True)
    (models / "fan" / ".staged-3").mkdir(parents=True)
    pump = ReleasedModel("pump", "", (3, 4), {"champion": 3, "challenger": 4})
    release_config.write(site, {"pump": pump, "fan": ReleasedModel("fan", "", (3,), {"champion": 3})})
    folder = files.write(site, "blue")
    assert [reason.partition(":")[0] for reason in release_config.unserved(site)] == ["fan", "pump"]
    assert files.models(site) == [ReleasedModel("pump", "/models/pump", (3,), {"champion": 3})]
    config = text_format.Parse((folder / "models.config").read_text(), config_pb2.ModelServerConfig())
    assert [(entry.name, entry.base_path) for entry in config.model_config_list.config] == [("pump", "/models/pump")]
    assert sorted(path.name for path in folder.iterdir()) == ["models.config", "monitoring.config"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert "batching.config" in {path.name for path in files.write(site_of(tmp_path, batching={}), "blue").iterdir()}


def test_the_released_version_is_served_not_the_newest(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    for version in (1, 2):
        (workspace_of(site).models / "pump" / str(version)).mkdir(parents=True)
    release_config.write(site, {"pump": ReleasedModel("pump", "", (1,), {"champion": 1})})
    assert files.models(site) == [ReleasedModel("pump", "/models/pump", (1,), {"champion": 1})]


@pytest.mark.parametrize(
    "text", [None, "model_config_list {}", 'model_config_list { config { name: "pump" base_path: "/models/pump" } }']
)
def test_an_empty_list_never_serves_the_newest_version(tmp_path: Path, text: str | None) -> None:
    site = site_of(tmp_path)
    (workspace_of(site).models / "pump" / "1").mkdir(parents=True)
    if text is not None:
        release_config.file_of(site).write_text(text)
    assert files.models(site) == []
    assert "pump" in release_config.unserved(site)[0] or "is missing" in release_config.unserved(site)[0]


def test_no_files_are_written_from_a_broken_list(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (workspace_of(site).models / "pump" / "1").mkdir(parents=True)
    release_config.file_of(site).write_text('model_config_list { config { name: "pump"  base_path: ')
    with pytest.raises(EugenieError, match=r"models\.config is not a ModelServerConfig: 1:\d+"):
        files.write(site, "blue")
    assert "a server started now would serve nothing" in release_config.unserved(site)[0]


# -- where it listens --------------------------------------------------------------------------------------------


def test_a_new_container_moves_when_it_may_and_swaps_when_it_must(tmp_path: Path) -> None:
    free = site_of(tmp_path, rest_port=0)
    old = dict(ports.first(workspace_of(free), specify(free)))
    ports.settled(workspace_of(free), old)
    assert ports.first(workspace_of(free), specify(free)) == old, "the ports persist across starts"

    moved = ports.after(workspace_of(free), specify(free), old, held=False)
    assert moved.spare is None and not set(moved.ports.values()) & set(old.values())

    held = ports.after(workspace_of(free), specify(free), old, held=True)
    assert held.ports == old and held.spare is not None and not set(held.spare.values()) & set(old.values())

    fixed = site_of(tmp_path, port=old[8500])
    named = ports.after(workspace_of(fixed), specify(fixed), old, held=False)
    assert named.ports == {8500: old[8500]} and named.spare is not None

    ports.settled(workspace_of(free), moved.ports)
    assert ports.first(workspace_of(free), specify(free)) == moved.ports
    back = ports.after(workspace_of(free), specify(free), moved.ports, held=False)
    assert back.ports == old, "the two pairs of ports alternate"


@pytest.mark.parametrize(
    ("job", "held"),
    [
        (None, False),
        (JobRecord("1", "flink", shape={"model_server": "127.0.0.1:1"}), True),
        (JobRecord("1", "flink", shape={"model_server": "127.0.0.1:2"}), False),
        (JobRecord("1", "flink", savepoint="there", shape={"model_server": "127.0.0.1:1"}), False),
        (JobRecord("1", "flink", drained=True, shape={"model_server": "127.0.0.1:1"}), False),
    ],
)
def test_a_stream_job_that_was_not_stopped_holds_its_address(tmp_path: Path, job: JobRecord | None, held: bool) -> None:
    workspace = workspace_of(site_of(tmp_path))
    if job is not None:
        save_job(workspace, job)
    assert ports.is_held(workspace, "127.0.0.1:1") is held


# -- the dry run -------------------------------------------------------------------------------------------------


def test_a_dry_run_needs_no_engine_and_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    file = tmp_path / "north.yaml"
    file.write_text(
        "site: north\nserving: {runtime: docker}\nclasses:\n  pump: {sensors: [{name: pressure}]}\n"
        "assets:\n  p-1: {class: pump}\n"
    )
    shown = CliRunner().invoke(app, ["serve", "start", "--dry-run", "--site", str(file)])
    assert shown.exit_code == 0
    words = shlex.split(shown.stdout.replace("\\\n", " "))
    assert words[:3] == ["docker", "run", "--detach"] and "tensorflow/serving:2.20.0" in words
    assert [path.name for path in tmp_path.iterdir()] == ["north.yaml"]


def test_a_dry_run_shows_the_current_container(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    record = ContainerRecord("id", "name", GREEN, "127.0.0.1:1", "", "unix:///docker.sock")
    write_record(workspace_of(site), record)
    assert dry_run.dry_run(site).files.endswith("/run/serving-green")


def test_a_dry_run_is_refused_for_a_local_process(tmp_path: Path) -> None:
    with pytest.raises(EugenieError, match="shows a container") as refused:
        dry_run.dry_run(site_of(tmp_path, runtime="local"))
    assert refused.value.exit_code == ExitCode.USAGE
