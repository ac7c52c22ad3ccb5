"""The ports of a site's engines: the configured ones, or free ones that stay the same from start to start.

An engine that is restarted must be found where its clients look for it, so ports are kept in
`run/ports.json`.
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
# below the range that kernels take for outgoing connections: those would occupy a port while its engine is
# down


RELEASE_S = 10.0
"""A killed process is gone before its last thread is, which still holds its ports: under load for seconds."""


def assign(
    file: Path, configured: Mapping[str, int], in_use: Collection[str], patience_s: float = RELEASE_S
) -> dict[str, int]:
    """A port for each name of `configured` (0: any free one), kept in `file`.

    Names in `in_use` belong to engines that run: they keep the port that they have. A port that should
    be free and is not is waited for, `patience_s` seconds. Raises EugenieError when a configured port is
    taken by another program.
    """
    kept = _read(file)
    ports: dict[str, int] = {}
    for name, wanted in configured.items():
        before = kept.get(name)
        if name in in_use and before is not None:
            ports[name] = before
        elif wanted:
            if not _is_released(wanted, patience_s):
                raise EugenieError(
                    f"port {wanted} ({name}) is taken by another program",
                    f"end that program, or choose another port: engines.{name}_port in the site file",
                )
            ports[name] = wanted
        elif before is not None and before not in ports.values() and _is_released(before, patience_s):
            ports[name] = before
        else:
            ports[name] = _free({*ports.values(), *kept.values()})
    if ports != kept:
        write_atomically(file, json.dumps({**kept, **ports}, indent=2) + "\n")
    return ports


def keep(file: Path, taken: Mapping[str, int], spare: str) -> None:
    """Keep `taken` in `file` under their names, and what was kept there before under name + `spare`."""
    kept = _read(file)
    before = {f"{name}{spare}": kept[name] for name, port in taken.items() if kept.get(name, port) != port}
    write_atomically(file, json.dumps({**kept, **before, **taken}, indent=2) + "\n")


def check_free(port: int, owner: str, key: str) -> None:
    """Raise EugenieError when `port`, which the site file gives to `owner` under `key`, cannot be bound."""
    if not is_free(port):
        raise EugenieError(
            f"port {port} of {owner} is taken by another program",
            f"end that program, or choose another {key} in the site file (0: any free one)",
        )


def is_free(port: int) -> bool:
    """True when a server can bind `port` on the loopback interface now."""
    with socket.socket() as probe:
        # as servers do: the port of one that just ended is free although old connections still wind down
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
    raise EugenieError("no free port between 20000 and 32000", "end programs, or name ports under engines:")


def _read(file: Path) -> dict[str, int]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {name: port for name, port in kept.items() if isinstance(port, int)}
    except (FileNotFoundError, json.JSONDecodeError, AttributeError):
        return {}
