"""Each missing prerequisite of a container is reported with a reason and a hint."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_container_spec import site_of

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.operations.doctor import check as doctor
from eugenie_cli.serving.container import docker, gpus, launch, preflight
from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.container.preflight import Host
from eugenie_cli.serving.container.spec import specify

LISTED = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5e1c2f00-aaaa)
  MIG 1g.10gb     Device  0: (UUID: MIG-7a00-bbbb)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-99)
"""
DRIVEN = Host(runtimes=("nvidia", "runc"), driver=True, listed=LISTED)


def reason_and_hint(error: EugenieError) -> str:
    return f"{error.reason} -> {error.hint}"


# -- the engine ----------------------------------------------------------------------------------------------------


def test_no_engine_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker.shutil, "which", lambda *_, **__: None)
    with pytest.raises(EugenieError) as refused:
        docker.connect(f"unix://{tmp_path}/docker.sock")
    assert "no Docker engine is installed" in refused.value.reason
    assert "apt-get install" in str(refused.value.hint)
    assert refused.value.exit_code == ExitCode.UNREACHABLE


def test_an_installed_engine_that_is_not_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker.shutil, "which", lambda *_, **__: "/usr/sbin/dockerd")
    with pytest.raises(EugenieError, match=r"the Docker engine is not running: .* does not exist") as refused:
        docker.connect(f"unix://{tmp_path}/docker.sock")
    assert "systemctl start docker" in str(refused.value.hint)


def test_a_socket_without_a_listener(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "docker.sock"))
    with pytest.raises(EugenieError, match=r"nothing listens on .*docker\.sock \(Connection refused\)"):
        docker.connect(f"unix://{tmp_path}/docker.sock")


def test_a_socket_of_a_group_without_the_user(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    path.touch()
    group = docker.grp.getgrgid(path.stat().st_gid).gr_name
    words = reason_and_hint(docker._not_permitted(path))
    assert f"{path} is accessible only to root and the group {group}" in words
    assert f"usermod --append --groups {group}" in words


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")
def test_the_kernel_denies_access_to_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "docker.sock"))
        listening.listen()
        (tmp_path / "docker.sock").chmod(0o660)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o001 == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o011)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                docker.connect(f"unix://{tmp_path}/docker.sock")
            except EugenieError as error:
                os._exit(7 if "may not use the Docker engine" in error.reason else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.fixture
def other_program(tmp_path: Path) -> Iterator[Path]:
    """A socket on which a program other than Docker answers."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller, contextlib.suppress(OSError):
                    caller.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield path
        listening.shutdown(socket.SHUT_RDWR)


def test_a_socket_of_another_program(other_program: Path) -> None:
    with pytest.raises(EugenieError, match="does not answer as a Docker engine"):
        docker.connect(f"unix://{other_program}")


@pytest.mark.parametrize("url", ["tcp://engines:2375", "ssh://root@engines", "http://engines:2375"])
def test_an_engine_on_another_machine_is_refused(url: str) -> None:
    with pytest.raises(EugenieError, match="is on another machine, but the models are on this one"):
        docker.connect(url)


@pytest.mark.slow
def test_doctor_checks_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    checks = {check.name: check for check in doctor(site_of(tmp_path))}
    assert not checks["docker"].ok and checks["docker"].hint
    assert "docker" not in {check.name for check in doctor(site_of(tmp_path, runtime="local"))}


# -- GPUs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "host", "words"),
    [
        ("all", Host(), "requests all GPUs, but no NVIDIA driver is loaded on this machine -> install the driver"),
        (2, Host(driver=True), "neither the runtime nvidia nor CDI devices -> install the NVIDIA Container Toolkit"),
        (3, DRIVEN, "requests 3 GPUs: this machine has 2 of 3 GPUs -> compare with `nvidia-smi -L`"),
        (("5",), DRIVEN, "requests GPU 5: this machine has no GPU 5"),
        (("GPU-5e1c2f00-aaaa", "GPU-0"), DRIVEN, "this machine has no GPU GPU-0"),
    ],
)
def test_a_missing_prerequisite_of_gpus_is_named(asked: Any, host: Host, words: str) -> None:
    request = gpus.request(asked)
    assert request is not None
    with pytest.raises(EugenieError) as refused:
        preflight.check_gpus(request, host)
    assert words in reason_and_hint(refused.value)
    assert refused.value.exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("asked", ["all", 1, 2, ("0", "1"), ("GPU-99",), ("MIG-7a00-bbbb",), ("0:0",)])
def test_existing_gpus_pass(asked: Any) -> None:
    request = gpus.request(asked)
    assert request is not None
    preflight.check_gpus(request, DRIVEN)
    preflight.check_gpus(request, Host(driver=True, hook=True, listed=LISTED))


def test_a_gpu_missing_from_the_container_is_detected() -> None:
    one_gpu = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-99)\n"
    preflight.check_visible(GpuRequest(ids=("1",)), one_gpu, inside=True)  # renumbered: GPU 0 in the container
    preflight.check_visible(GpuRequest(count=-1), one_gpu, inside=True)
    preflight.check_visible(GpuRequest(ids=("nvidia.com/gpu=all",), cdi=True), one_gpu, inside=True)
    for request in (GpuRequest(count=2), GpuRequest(ids=("0", "1")), GpuRequest(ids=("GPU-5e1c2f00-aaaa",))):
        with pytest.raises(EugenieError, match="the container has"):
            preflight.check_visible(request, one_gpu, inside=True)
    with pytest.raises(EugenieError, match="the container has 0 of 1 GPUs"):
        preflight.check_visible(GpuRequest(count=-1), "", inside=True)


def test_cdi_is_used_if_the_engine_has_no_nvidia_runtime(tmp_path: Path) -> None:
    (tmp_path / "nvidia.yaml").write_text("kind: nvidia.com/gpu\ndevices: [{name: '0'}, {name: all}]\n")
    (tmp_path / "other.json").write_text('{"kind": "vendor.com/nic", "devices": [{"name": "a"}]}')
    (tmp_path / "broken.yaml").write_text("kind: [")
    info = {"Runtimes": {"runc": {}}, "CDISpecDirs": [str(tmp_path), str(tmp_path / "none")]}
    host = preflight.host_of(info, hook=False, listed=LISTED)
    assert host.cdi == ("nvidia.com/gpu=0", "nvidia.com/gpu=all", "vendor.com/nic=a")
    assert host.gives_gpus_by_cdi
    assert not preflight.host_of({**info, "Runtimes": {"nvidia": {}}}, hook=False, listed="").gives_gpus_by_cdi
    assert not preflight.host_of(info, hook=True, listed="").gives_gpus_by_cdi

    everything = gpus.request("all", cdi=True)
    assert everything == GpuRequest(ids=("nvidia.com/gpu=all",), cdi=True)
    preflight.check_gpus(everything, host)
    two = gpus.request(2, cdi=True)
    assert two is not None and two.ids == ("nvidia.com/gpu=0", "nvidia.com/gpu=1")
    with pytest.raises(EugenieError, match=r"has no CDI device nvidia\.com/gpu=1; it has nvidia\.com/gpu=0"):
        preflight.check_gpus(two, host)


def test_the_output_of_nvidia_smi_is_parsed() -> None:
    output = (
        "0, GPU-5e, NVIDIA H100 80GB HBM3, 1536, 81559, 37\n"
        "1, GPU-99, NVIDIA H100, [N/A], [Insufficient Permissions], [N/A]\n"
        "No devices were found\n"
    )
    first, second = gpus.use(output)
    assert (first.index, first.name, first.used_mib, first.total_mib, first.utilisation) == (
        0, "NVIDIA H100 80GB HBM3", 1536, 81559, 37,
    )  # fmt: skip
    assert (second.uuid, second.used_mib, second.total_mib, second.utilisation) == ("GPU-99", None, None, None)


# -- files and the site file ---------------------------------------------------------------------------------------


def test_an_unreadable_model_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    version = models / "pump" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch(mode=0o644)
    (models / "pump" / ".lock").touch(mode=0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    preflight.check_readable(models, Host())
    (version / "saved_model.pb").chmod(0o600)
    with pytest.raises(
        EugenieError, match=r"cannot read .*saved_model\.pb: started by root, the server runs as"
    ) as refused:
        preflight.check_readable(models, Host())
    assert refused.value.hint == f"chmod -R o+rX {models}"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    preflight.check_readable(models, Host())
    with pytest.raises(EugenieError, match="the engine maps users"):
        preflight.check_readable(models, Host(security=("name=rootless",)))


def test_a_certificate_that_the_runtime_would_ignore_is_refused(tmp_path: Path) -> None:
    site = site_of(tmp_path, tls={"certificate": "a.pem", "key": "b.pem"})
    with pytest.raises(EugenieError, match=r"serving\.tls is not supported with serving\.runtime: docker"):
        preflight.check_supported(site)


# -- errors of the engine itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            'could not select device driver "" with capabilities: [[gpu]]',
            "has no driver for all GPUs: could not select device driver",
        ),
        ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=9", "nvidia-ctk cdi generate"),
        ("driver failed programming: Bind for 127.0.0.1:8500 failed: port is already allocated", "a port of the model"),
        ("listen tcp4 127.0.0.1:8500: bind: address already in use", "set another serving.port"),
        (
            'exec: "tensorflow_model_server": executable file not found in $PATH',
            "has no program tensorflow_model_server",
        ),
        ("nvidia-container-cli: initialization error", "the container cannot use the GPUs"),
        ("something new", "the Docker engine rejects the container: something new"),
    ],
)
def test_an_error_of_the_engine_is_explained(tmp_path: Path, answer: str, words: str) -> None:
    assert words in reason_and_hint(launch._refused(specify(site_of(tmp_path, gpus="all")), answer))
