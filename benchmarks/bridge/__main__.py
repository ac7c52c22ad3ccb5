"""The CPU time per reading of `eugenie bridge` and of a plain loop, from the same subscription to the same broker.

A plant sends each tag once a second: an OPC UA server, or messages of ten tags to mosquitto (QoS 1). Counted is what
arrives in the topic while CPU time is measured; the servers' own CPU time is not part of it. asyncua's server writes
some 3,000 values a second at most; node-opcua's, which EUGENIE_NODE_OPCUA=FOLDER installs, more than 10,000.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.common import report
from eugenie_cli.broker import positions
from eugenie_cli.console import Console
from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError
from eugenie_cli.operations.down import down
from eugenie_cli.operations.up import up
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site

ROOT = Path(__file__).parents[2]
READY_S, SETTLE_S = 120.0, 3.0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.bridge", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--tags", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    progress = Console()
    report.end_on_term()
    figures: dict[str, Any] = {"tags": options.tags}
    with report.failures_in_words(progress), tempfile.TemporaryDirectory() as folder:
        for kind in ("opcua", "mqtt"):
            with _plant(kind, options.tags, Path(folder) / kind, progress) as (site, port):
                for way in ("bridge", "plain"):
                    with _reader(way, kind, port, options.tags, site) as process:
                        rate, spent = _measured(process, site, options.seconds)
                    figures[f"{kind}_{way}_cpu_us_per_reading"] = spent
                    figures[f"{kind}_{way}_readings_per_s"] = rate
                    progress.say(f"{kind}, {way}: {spent:.1f} us a reading at {rate:,.0f} readings/s")
            plain, bridge = (figures[f"{kind}_{way}_cpu_us_per_reading"] for way in ("plain", "bridge"))
            figures[f"{kind}_ratio"] = plain / bridge
    report.finish("bridge", figures)


@contextmanager
def _plant(kind: str, tags: int, folder: Path, progress: Console) -> Iterator[tuple[Site, int]]:
    """A site with a running Kafka, and the port of the server that its load uses."""
    from contextlib import ExitStack

    from support.live_load import Load, assets, classes
    from support.mosquitto import mosquitto, mosquitto_package
    from support.node_opcua import VARIABLE, node_modules
    from support.opcua import free_port

    with ExitStack() as stack:
        folder.mkdir()
        source: dict[str, Any]
        modules = node_modules() if kind == "opcua" and VARIABLE in os.environ else None
        if kind == "mqtt":
            server = stack.enter_context(mosquitto(folder / "broker", mosquitto_package(folder / "package")))
            port = server.port
            readings = {"shape": "wide", "ts": {"path": "ts", "unit": "ms"}}
            source = {"url": server.url, "topics": ["plant/{asset}"], "readings": readings}
        else:
            port = free_port()
            node = "ns=2;s={asset}.{sensor}"
            source = {"endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "node": node, "start": "1h"}
            source["bridge"] = {"sampling": "0s"}
        document = {
            **{"site": "bench", "workspace": str(folder / "workspace"), "classes": classes(), "assets": assets(tags)},
            "sources": [{"name": "source", "type": kind, **source}],
        }
        file = folder / "site-configs" / "bench.yaml"
        file.parent.mkdir()
        file.write_text(yaml.safe_dump(document))
        site = load_site(file)
        up(site, progress, only=("kafka",))
        stack.callback(down, site)
        load = Load(kind, port, tags, folder / "load.log", modules)
        stack.callback(load.process.kill)
        yield site, port


@contextmanager
def _reader(way: str, kind: str, port: int, tags: int, site: Site) -> Iterator[psutil.Process]:
    """The process that is measured, once it is subscribed."""
    if way == "bridge":
        command = [str(Path(sys.executable).with_name("eugenie")), "bridge", "source", "--site", str(site.file)]
    else:
        command = [sys.executable, "-m", "benchmarks.bridge.plain", kind, str(port), str(tags)]
        command += [endpoints.kafka(site), str(site.topics.readings)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    log = Path(str(site.file)).with_suffix(f".{way}.log")
    with log.open("wb") as output:
        environment = {**os.environ, "PYTHONPATH": paths}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=ROOT)
    try:
        end = time.monotonic() + READY_S
        while b"subscribed to" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                raise EugenieError(f"{way} does not subscribe: {log.read_text()[-500:]}")
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _measured(process: psutil.Process, site: Site, seconds: float) -> tuple[float, float]:
    """(readings per second, CPU us per reading)."""

    def now() -> tuple[float, float, int]:
        times = process.cpu_times()
        ends = positions.look(site.kafka_access, str(site.topics.readings)).end
        return time.monotonic(), times.user + times.system, sum(ends.values())

    first_s, first_cpu, first = now()
    time.sleep(seconds)
    last_s, last_cpu, last = now()
    if last == first:
        raise EugenieError("no reading arrived in the topic")
    return (last - first) / (last_s - first_s), (last_cpu - first_cpu) / (last - first) * 1e6


if __name__ == "__main__":
    main()
