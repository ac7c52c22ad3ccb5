"""A drain that Flink completed after the command was interrupted: the end of the stream is determined afterwards."""

from __future__ import annotations

import os
import struct

import pytest

from eugenie_cli.broker.positions import TopicState
from eugenie_cli.engines import job_record
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.progress import SILENT
from eugenie_cli.site.load import workspace_of
from eugenie_cli.streaming import stop
from eugenie_cli.streaming.job import SiteJob
from eugenie_cli.streaming.start_position import MAGIC

TOPIC = b"plant.readings"


class Forgotten(FlinkRest):
    """A cluster on this machine that has forgotten the job."""

    def job(self, job_id: str) -> None:
        return None


def metadata(offset: int) -> bytes:
    """The metadata of a savepoint that has read the first partition up to `offset`."""
    return MAGIC + len(TOPIC).to_bytes(2, "big") + TOPIC + struct.pack(">iqq", 0, offset, -(2**63))


@pytest.mark.parametrize("newest", ["a", "b", "c"])
def test_the_newest_of_several_savepoints_determines_the_end(site_of, tmp_path, monkeypatch, newest):
    """Savepoints may have been taken while the job ran; a folder lists them in any order."""
    for number, name in enumerate(("a", "b", "c")):
        file = tmp_path / f"savepoint-1a2b3c-{name}" / "_metadata"
        file.parent.mkdir()
        file.write_bytes(metadata(99 if name == newest else number + 1))
        os.utime(file, (100, 100) if name == newest else (number, number))
    committed = []
    monkeypatch.setattr(stop.positions, "look", lambda _, topic: TopicState(topic, "id", {0: 0}, {0: 100}))
    monkeypatch.setattr(stop.positions, "commit", lambda *given: committed.append(given[-1]))
    row = {"asset": "p-1", "ts": "2026-01-08T10:00:00Z"}
    monkeypatch.setattr(stop.positions, "last_records", lambda *_: iter([row, {"asset": "gone"}]))
    known = JobRecord("1a2b3c4d", "http://127.0.0.1:9", drained=True, savepoints=tmp_path.as_uri())
    site = site_of()
    job = SiteJob(site.kafka_access, site.assets, Forgotten(known.flink), False, workspace_of(site))
    concluded = stop.conclude(job, known, None, SILENT)
    assert (committed, concluded.resumes_at) == ([{0: 99}], {0: 99})
    assert concluded.made_until == {"p-1": 1_767_866_400_000}
    assert job_record.load(workspace_of(site)) == concluded
