"""Where a job begins: the values of `--start-at`, and the state that the last job left."""

from __future__ import annotations

import os
from dataclasses import asdict

import pytest

from eugenie_cli.engines import job_record
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming.start_position import MAGIC, Snapshot, Start, _on_disk, named, newest, parse_start
from eugenie_cli.workspace import Workspace

HERE, ELSEWHERE = FlinkRest("http://127.0.0.1:9"), FlinkRest("http://flink.plant:8081")


@pytest.mark.parametrize("word", ["auto", "savepoint", "latest", "earliest"])
def test_start_words(word):
    assert parse_start("UTC", word) == Start(word)


@pytest.mark.parametrize(
    ("text", "zone"), [("2026-01-03T06:00:00Z", "UTC"), ("2026-01-03T09:00:00", "Europe/Istanbul")]
)
def test_an_instant_without_an_offset_is_in_the_given_time_zone(text, zone):
    assert parse_start(zone, text) == Start("timestamp", 1_767_420_000_000)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00:00Z", "newest"])
def test_other_text_is_refused_with_the_list_of_words(text):
    with pytest.raises(EugenieError) as raised:
        parse_start("UTC", text)
    assert raised.value.exit_code is ExitCode.USAGE
    assert "auto, savepoint, latest, earliest" in str(raised.value.hint)


def test_a_named_savepoint_excludes_another_start():
    assert parse_start("UTC", "auto", "/s") == parse_start("UTC", "savepoint", "/s")
    with pytest.raises(EugenieError, match="are mutually exclusive"):
        parse_start("UTC", "latest", "/s")


@pytest.fixture
def snapshot(tmp_path):
    """Makes the folder of a complete snapshot, or of one that Flink did not finish."""

    def make(name: str, metadata: bytes | None = MAGIC + b"\0\0\0\6"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        if metadata is not None:
            (folder / "_metadata").write_bytes(metadata)
        return folder

    return make


def test_the_kind_of_a_snapshot_follows_from_its_folder_name(snapshot):
    savepoint, checkpoint = snapshot("savepoint-1a2b"), snapshot("job/chk-7")
    assert named(HERE, str(savepoint)) == Snapshot("savepoint", savepoint.as_uri())
    assert named(HERE, f"file:{checkpoint}") == Snapshot("checkpoint", f"file:{checkpoint}")


@pytest.mark.parametrize("metadata", [None, b"", b"other"])
def test_an_incomplete_snapshot_is_refused(snapshot, metadata):
    folder = snapshot("savepoint-1a2b", metadata)
    with pytest.raises(EugenieError, match="not a complete savepoint or checkpoint") as raised:
        named(HERE, str(folder))
    assert raised.value.exit_code is ExitCode.REFUSED


def test_a_snapshot_on_other_storage_is_not_checked_here():
    assert named(ELSEWHERE, "file:/state/savepoint-1") == Snapshot("savepoint", "file:/state/savepoint-1")
    assert named(HERE, "s3://bucket/chk-3/") == Snapshot("checkpoint", "s3://bucket/chk-3/")


def test_no_state_exists_before_the_first_job_and_after_a_drain(snapshot):
    assert newest(HERE, None) is None
    drained = JobRecord("job", HERE.address, drained=True, resumed_from=str(snapshot("savepoint-old")))
    assert newest(HERE, drained) is None


def test_the_savepoint_of_the_last_stop_is_used_and_its_loss_is_an_error(snapshot):
    folder = snapshot("savepoint-1a2b")
    last = JobRecord("job", HERE.address, savepoint=folder.as_uri(), resumed_from="file:/older")
    assert newest(HERE, last) == Snapshot("savepoint", folder.as_uri())
    (folder / "_metadata").unlink()
    with pytest.raises(EugenieError, match="not a complete"):
        newest(HERE, last)


def test_an_unrecorded_savepoint_is_found_by_the_jobs_id(snapshot, tmp_path):
    """The process that stopped the job was killed before Flink answered, and the cluster has forgotten the job."""
    older, newer = snapshot("chk/1a2b3c4d/chk-9"), snapshot("sp/savepoint-1a2b3c-77")
    snapshot("sp/savepoint-1a2b3c-88", b""), snapshot("sp/savepoint-ffffff-99")
    os.utime(older / "_metadata", (1, 1))
    places = {"checkpoints": (tmp_path / "chk").as_uri(), "savepoints": (tmp_path / "sp").as_uri()}
    last = JobRecord("1a2b3c4d", HERE.address, **places)
    snapshots = [snapshot for _, snapshot in sorted(_on_disk(HERE, last), key=lambda entry: entry[0])]
    assert snapshots == [Snapshot("checkpoint", older.as_uri()), Snapshot("savepoint", newer.as_uri())]
    assert _on_disk(ELSEWHERE, last) == []


def test_a_record_survives_a_round_trip_and_fields_of_later_versions(tmp_path):
    workspace = Workspace(tmp_path)
    assert job_record.load(workspace) is None
    full = JobRecord("job", "http://x", "file:/s", False, "file:/r", "file:///chk", {"site": "plant"}, topic="id")
    job_record.save(workspace, full)
    assert job_record.load(workspace) == full
    interrupted = JobRecord(
        "next", "http://x", offsets={"0": 7}, accepted=False, before={**asdict(full), "of_later": 1}
    )
    job_record.save(workspace, interrupted)
    loaded = job_record.load(workspace)
    assert loaded == interrupted and loaded.predecessor() == full and loaded.resumes_at == {0: 7}
    job_record.restore(workspace, None)
    assert job_record.load(workspace) is None
    (tmp_path / "run" / "stream.json").write_text('{"job_id": "a", "flink": "b", "savepoint": "c", "of_later": 1}')
    assert job_record.load(workspace) == JobRecord("a", "b", "c")


@pytest.mark.parametrize(
    ("fields", "on_purpose"),
    [({}, False), ({"savepoint": "file:/s"}, True), ({"drained": True}, True), ({"stopped": True}, True)],
)
def test_a_job_that_was_stopped_in_any_way_is_known_to_be(tmp_path, fields, on_purpose):
    """Also without a savepoint: the supervisor would start it again once its cluster has forgotten it."""
    job_record.save(Workspace(tmp_path), JobRecord("job", "http://x", **fields))
    loaded = job_record.load(Workspace(tmp_path))
    assert loaded is not None and loaded.ended_on_purpose == on_purpose
