"""A connection to an OPC UA server, as far as it needs no server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.history_sites import pump_site

from eugenie_cli.sources.failures import TransientError
from eugenie_cli.sources.opcua.connection import Connection

pytestmark = pytest.mark.slow  # importing asyncua takes a second

SOURCE = {"name": "o", "type": "opcua", "endpoint": "opc.tcp://127.0.0.1:1", "start": "2026-01-01T00:00:00Z"}


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_closed_connection_holds_nothing_open(tmp_path):
    site = pump_site(tmp_path, [SOURCE])
    kept, before = [], open_files()
    for _ in range(3):
        kept.append(Connection(site.sources[0], site, 1.0))
        with pytest.raises(TransientError, match="cannot be reached"):
            kept[-1].connected()
        kept[-1].close()
    until = time.monotonic() + 5  # the thread of each ends by itself
    while open_files() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert open_files() == before
