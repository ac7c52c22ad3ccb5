"""The ports of a site's engines: the configured ones, or free ones that stay the same across restarts.

Clients must find a restarted engine at its old address, so ports are kept in `run/ports.json`.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import write_atomically
from eugenie_cli.polling import wait_until

LOOPBACK = "127.0.0.1"

_CANDIDATES = range(20_000, 32_000)
# below the kernel's range for outgoing connections, which could occupy a port while its engine is down


RELEASE_S = 10.0
"""The last thread of a killed process outlives it, and still holds its ports: for seconds under load."""


def assign(
    file: Path, configured: Mapping[str, int], in_use: Collection[str], patience_s: float = RELEASE_S
) -> dict[str, int]:
    """A port for each name in `configured` (0: any free port), kept in `file`.

    Names in `in_use` belong to running engines, which keep their ports. A port that should be free but is not is waited
    for, up to `patience_s` seconds. Raises EugenieError when another program uses a configured port.
    """
    kept = _read(file)
    ports: dict[str, int] = {}
    for name, port in configured.items():
        before = kept.get(name)
        if name in in_use and before is not None:
            ports[name] = before
        elif port:
            if not _is_released(port, patience_s):
                raise EugenieError(
                    f"port {port} ({name}) is in use by another program",
                    f"stop that program, or set another port as engines.{name}_port in the site file",
                )
            ports[name] = port
        elif before is not None and before not in ports.values() and _is_released(before, patience_s):
            ports[name] = before
        else:
            ports[name] = _free({*ports.values(), *kept.values()})
    if ports != kept:
        write_atomically(file, json.dumps({**kept, **ports}, indent=2) + "\n")
    return ports


def keep(file: Path, taken: Mapping[str, int], spare: str) -> None:
    """Keeps the ports `taken` in `file` by name, and different earlier ports of these names under name + `spare`."""
    kept = _read(file)
    before = {f"{name}{spare}": kept[name] for name, port in taken.items() if kept.get(name, port) != port}
    write_atomically(file, json.dumps({**kept, **before, **taken}, indent=2) + "\n")


def check_free(port: int, owner: str, key: str) -> None:
    """Raises EugenieError when `port`, which the site file assigns to `owner` under `key`, cannot be bound."""
    if not is_free(port):
        raise EugenieError(
            f"port {port} of {owner} is in use by another program",
            f"stop that program, or set another {key} in the site file (0: any free port)",
        )


def is_free(port: int) -> bool:
    """True when a server can bind `port` on the loopback interface now."""
    with socket.socket() as probe:
        # as servers do: the port of a server that just ended counts as free while old connections wind down
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(address: str, timeout_s: float = 1.0) -> bool:
    """True when something accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s):
            return True
    except (OSError, ValueError):
        return False


def _is_released(port: int, patience_s: float) -> bool:
    return wait_until(lambda: is_free(port), patience_s, 0.1)


def _free(taken: Collection[int]) -> int:
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if port not in taken and is_free(port):
            return port
    raise EugenieError(
        "no port between 20000 and 32000 is free", "stop other programs, or set ports under `engines` in the site file"
    )


def _read(file: Path) -> dict[str, int]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {name: port for name, port in kept.items() if isinstance(port, int)}
    except (FileNotFoundError, json.JSONDecodeError, AttributeError):
        return {}
