"""Renders a `ContainerSpec` as arguments for the Docker SDK and as the equivalent `docker run` command."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator
from typing import Any

from eugenie_cli.serving.container.gpus import GpuRequest
from eugenie_cli.serving.container.spec import NANOSECOND, ContainerSpec, Health, Mount, Published

LOG_DRIVER = "json-file"
"""This driver honours the size limits in `log_options`, and `eugenie serve logs` can read it on every engine."""

_GPU = [["gpu"]]
"""The capability by which an engine selects the device driver."""


def sdk_arguments(spec: ContainerSpec) -> dict[str, Any]:
    """The keyword arguments for `client.containers.create`."""
    from docker import types

    return {
        "image": spec.image,
        "command": list(spec.arguments),
        "name": spec.name,
        "entrypoint": [spec.entrypoint],
        "user": spec.user,
        "environment": dict(spec.environment),
        "labels": dict(spec.labels),
        "mounts": [types.Mount(mount.target, mount.source, type="bind", read_only=True) for mount in spec.mounts],
        "ports": {f"{port.inside}/tcp": (port.host, port.port) for port in spec.published},
        "read_only": spec.read_only,
        "tmpfs": dict(spec.tmpfs),
        "cap_drop": list(spec.dropped),
        "security_opt": list(spec.security),
        "pids_limit": spec.pids,
        "restart_policy": {"Name": spec.restart},
        "log_config": types.LogConfig(type=LOG_DRIVER, config=dict(spec.log_options)),
        "healthcheck": _healthcheck(spec.health),
        "device_requests": [_device_request(spec.gpus)] if spec.gpus is not None else [],
    }


def command_line(spec: ContainerSpec) -> list[str]:
    """The arguments of the `docker run` command that starts the same container."""
    return ["docker", "run", "--detach", *_options(spec), spec.image, *spec.arguments]


def shell_line(spec: ContainerSpec) -> str:
    """`command_line` quoted for a shell, with one option per line."""
    options = [shlex.join(option) for option in _pairs(spec)]
    return " \\\n  ".join(["docker run --detach", *options, *map(shlex.quote, [spec.image, *spec.arguments])])


def _options(spec: ContainerSpec) -> list[str]:
    return [word for option in _pairs(spec) for word in option]


def _pairs(spec: ContainerSpec) -> Iterator[tuple[str, ...]]:
    yield "--name", spec.name
    yield "--entrypoint", spec.entrypoint
    yield "--user", spec.user
    for name, value in spec.environment.items():
        yield "--env", f"{name}={value}"
    for name, value in spec.labels.items():
        yield "--label", f"{name}={value}"
    for mount in spec.mounts:
        yield "--mount", _mount(mount)
    for published in spec.published:
        yield "--publish", _publish(published)
    if spec.read_only:
        yield ("--read-only",)
    for path, options in spec.tmpfs.items():
        yield "--tmpfs", f"{path}:{options}"
    for capability in spec.dropped:
        yield "--cap-drop", capability
    for option in spec.security:
        yield "--security-opt", option
    yield "--pids-limit", str(spec.pids)
    yield "--restart", spec.restart
    yield "--log-driver", LOG_DRIVER
    for name, value in spec.log_options.items():
        yield "--log-opt", f"{name}={value}"
    yield "--health-cmd", spec.health.command
    yield "--health-interval", f"{spec.health.interval_s}s"
    yield "--health-timeout", f"{spec.health.timeout_s}s"
    yield "--health-retries", str(spec.health.retries)
    yield "--health-start-period", f"{spec.health.start_s}s"
    if spec.gpus is not None:
        yield from _gpus(spec.gpus)


def _gpus(request: GpuRequest) -> Iterator[tuple[str, ...]]:
    if request.cdi:
        for name in request.ids:
            yield "--device", name
    elif request.ids:
        yield "--gpus", f'"device={",".join(request.ids)}"'  # Docker parses the value as CSV
    else:
        yield "--gpus", "all" if request.count < 0 else str(request.count)


def _device_request(request: GpuRequest) -> Any:
    from docker.types import DeviceRequest

    if request.cdi:
        return DeviceRequest(driver="cdi", device_ids=list(request.ids))
    if request.ids:
        return DeviceRequest(device_ids=list(request.ids), capabilities=_GPU)
    return DeviceRequest(count=request.count, capabilities=_GPU)


def _healthcheck(health: Health) -> dict[str, Any]:
    return {
        "test": ["CMD-SHELL", health.command],
        "interval": health.interval_s * NANOSECOND,
        "timeout": health.timeout_s * NANOSECOND,
        "retries": health.retries,
        "start_period": health.start_s * NANOSECOND,
    }


def _mount(mount: Mount) -> str:
    """The value of `--mount`, which Docker parses as CSV: a folder's name may contain commas and quotes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        ["type=bind", f"source={mount.source}", f"target={mount.target}", "readonly"]
    )
    return line.getvalue()


def _publish(published: Published) -> str:
    host = f"[{published.host}]" if ":" in published.host else published.host
    outside = f"{host}:{published.port}" if published.port else f"{host}:"
    return f"{outside}:{published.inside}/tcp"
