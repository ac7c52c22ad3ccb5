"""Where a job begins: what `--start-at` may say, and which state the last job left."""

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
def test_words(site_of, word):
    assert parse_start(site_of(), word) == Start(word)


@pytest.mark.parametrize(
    ("text", "zone"), [("2026-01-03T06:00:00Z", "UTC"), ("2026-01-03T09:00:00", "Europe/Istanbul")]
)
def test_an_instant_without_an_offset_is_of_the_sites_zone(site_of, text, zone):
    assert parse_start(site_of(timezone=zone), text) == Start("timestamp", 1_767_420_000_000)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00:00Z", "newest"])
def test_all_else_is_refused_with_the_words_there_are(site_of, text):
    with pytest.raises(EugenieError) as raised:
        parse_start(site_of(), text)
    assert raised.value.exit_code is ExitCode.USAGE
    assert "auto, savepoint, latest, earliest" in str(raised.value.hint)


def test_a_named_savepoint_goes_with_no_other_beginning(site_of):
    assert parse_start(site_of(), "auto", "/s") == parse_start(site_of(), "savepoint", "/s")
    with pytest.raises(EugenieError, match="exclude each other"):
        parse_start(site_of(), "latest", "/s")


@pytest.fixture
def snapshot(tmp_path):
    """Makes a folder that is a complete snapshot, or one that Flink had not finished."""

    def make(name: str, metadata: bytes | None = MAGIC + b"\0\0\0\6"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        if metadata is not None:
            (folder / "_metadata").write_bytes(metadata)
        return folder

    return make


def test_a_snapshot_is_known_by_its_folder(snapshot):
    savepoint, checkpoint = snapshot("savepoint-1a2b"), snapshot("job/chk-7")
    assert named(HERE, str(savepoint)) == Snapshot("savepoint", savepoint.as_uri())
    assert named(HERE, f"file:{checkpoint}") == Snapshot("checkpoint", f"file:{checkpoint}")


@pytest.mark.parametrize("metadata", [None, b"", b"none of it"])
def test_one_that_is_not_complete_is_refused(snapshot, metadata):
    folder = snapshot("savepoint-1a2b", metadata)
    with pytest.raises(EugenieError, match="no complete savepoint or checkpoint") as raised:
        named(HERE, str(folder))
    assert raised.value.exit_code is ExitCode.REFUSED


def test_what_lies_elsewhere_is_flinks_to_judge():
    assert named(ELSEWHERE, "file:/state/savepoint-1") == Snapshot("savepoint", "file:/state/savepoint-1")
    assert named(HERE, "s3://bucket/chk-3/") == Snapshot("checkpoint", "s3://bucket/chk-3/")


def test_before_the_first_job_and_after_a_drain_there_is_nothing(snapshot):
    assert newest(HERE, None) is None
    drained = JobRecord("job", HERE.address, drained=True, resumed_from=str(snapshot("savepoint-old")))
    assert newest(HERE, drained) is None


def test_the_savepoint_of_the_last_stop_is_taken_and_its_loss_is_not_passed_over(snapshot):
    folder = snapshot("savepoint-1a2b")
    last = JobRecord("job", HERE.address, savepoint=folder.as_uri(), resumed_from="file:/older")
    assert newest(HERE, last) == Snapshot("savepoint", folder.as_uri())
    (folder / "_metadata").unlink()
    with pytest.raises(EugenieError, match="no complete"):
        newest(HERE, last)


def test_a_savepoint_that_was_never_noted_is_found_by_the_jobs_id(snapshot, tmp_path):
    """Whoever stopped the job was killed before the answer came, and the cluster has forgotten it."""
    older, newer = snapshot("chk/1a2b3c4d/chk-9"), snapshot("sp/savepoint-1a2b3c-77")
    snapshot("sp/savepoint-1a2b3c-88", b""), snapshot("sp/savepoint-ffffff-99")
    os.utime(older / "_metadata", (1, 1))
    places = {"checkpoints": (tmp_path / "chk").as_uri(), "savepoints": (tmp_path / "sp").as_uri()}
    last = JobRecord("1a2b3c4d", HERE.address, **places)
    found = [one for _, one in sorted(_on_disk(HERE, last), key=lambda one: one[0])]
    assert found == [Snapshot("checkpoint", older.as_uri()), Snapshot("savepoint", newer.as_uri())]
    assert _on_disk(ELSEWHERE, last) == []


def test_a_record_survives_its_file_and_files_of_other_versions(tmp_path):
    workspace = Workspace(tmp_path)
    assert job_record.load(workspace) is None
    full = JobRecord("job", "http://x", "file:/s", False, "file:/r", "file:///chk", {"site": "plant"}, topic="id")
    job_record.save(workspace, full)
    assert job_record.load(workspace) == full
    asked = JobRecord("next", "http://x", offsets={"0": 7}, accepted=False, before={**asdict(full), "of_later": 1})
    job_record.save(workspace, asked)
    found = job_record.load(workspace)
    assert found == asked and found.predecessor() == full and found.resumes_at == {0: 7}
    job_record.restore(workspace, None)
    assert job_record.load(workspace) is None
    (tmp_path / "run" / "stream.json").write_text('{"job_id": "a", "flink": "b", "savepoint": "c", "of_later": 1}')
    assert job_record.load(workspace) == JobRecord("a", "b", "c")
