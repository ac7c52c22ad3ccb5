"""A stream job on a real Flink that calls the model server over mTLS, and stores no key where others could read it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.certificates import Authority
from support.chaos import records
from support.small_models import ASSETS, WINDOW, release, write_version

from eugenie_cli.broker.produce import Producer
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.episodes.records import iso
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.status import status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

pytestmark = pytest.mark.integration

NAMES = ("a", "b", "c")
SECONDS = 40


@pytest.fixture
def site(engines, tmp_path: Path) -> Iterator[Site]:
    """Its Flink is named by address, so the job does not know the server's socket and uses the port."""
    plant = Authority(tmp_path / "pki", "plant")
    server, caller = plant.sign("server"), plant.sign("caller")
    tls = {
        "certificate": str(server.certificate),
        "key": str(server.key),
        "ca": str(plant.ca),
        "client_ca": str(plant.ca),
        "client_certificate": str(caller.certificate),
        "client_key": str(caller.key),
    }
    model = {"type": "last-value", "window": WINDOW, "horizons": [1]}
    made = engines.site(
        "overtls",
        classes={"pump": {"sensors": [{"name": name} for name in NAMES], "model": model}},
        assets={asset: {"class": "pump"} for asset in ASSETS},
        serving={"tls": tls},
        stream={"checkpoint": "1s"},
    )
    write_version(workspace_of(made).models, "pump", 1)
    release(workspace_of(made).models, "pump", 1)
    local.start(made)
    yield made
    local.stop(made)


def test_the_job_scores_over_mtls_and_shows_no_key(engines, site: Site) -> None:
    job = submit(site, start="earliest").job_id
    begin = int(time.time() - 600) * 1_000
    with Producer(site) as producer:
        for second in range(SECONDS):
            for asset in ASSETS:
                for name in NAMES:
                    reading = {"asset": asset, "sensor": name, "ts": iso(begin + second * 1_000), "value": 1.0}
                    producer.send(str(site.topics.readings), asset, json.dumps(reading).encode())
    deadline = time.monotonic() + 120
    while not (shown := status(site)).predict_calls and time.monotonic() < deadline:
        time.sleep(0.5)
    assert shown.predict_calls
    assert shown.model_server is not None and shown.model_server.models == {"pump": 1}
    texts = [requests.get(f"{engines.flink}{page}", timeout=30).text for page in pages(job)]
    stop(site, drain=True)

    rest = FlinkRest(engines.flink)
    assert rest.exceptions(job) is None
    scores = [record for record in records(site, site.topics.scores) if record["score"] is not None]
    pump = site.classes["pump"]
    rows = SECONDS + pump.max_gap // pump.step  # for as long as the last reading is valid
    assert len(scores) == len(ASSETS) * (rows - WINDOW + 1)
    assert {(record["score"], record["model"]["version"]) for record in scores} == {(1000.0 + WINDOW * len(NAMES), 1)}

    processes = ["jobmanager", *(f"taskmanagers/{task_manager}" for task_manager in rest.task_managers())]
    texts += [rest.log(process) for process in processes]
    texts += [path.read_text() for path in workspace_of(site).run.glob("*.json")]
    assert site.serving.tls is not None and site.serving.tls.client_key is not None
    secret = Path(site.serving.tls.client_key).read_text().splitlines()[1]
    assert not any(secret in text for text in texts)


def pages(job: str) -> list[str]:
    return ["/jobmanager/config", "/jars", *(f"/jobs/{job}{page}" for page in ("", "/config", "/plan", "/exceptions"))]
