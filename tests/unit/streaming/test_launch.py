"""An interrupted submission is waited for: while Flink runs its program, a new one would make both fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from eugenie_cli.engines import job_record
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT
from eugenie_cli.streaming import launch
from eugenie_cli.streaming.stop import stop
from eugenie_cli.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A workspace with a submission that was interrupted a while ago."""
    interrupted = Workspace(tmp_path)
    last = JobRecord("old", "http://x")
    job_record.save(interrupted, JobRecord("new", "http://x", accepted=False, before=asdict(last)))
    long_ago = time.time() - 2 * launch.BEGINS_WITHIN_S
    os.utime(interrupted.run / "stream.json", (long_ago, long_ago))
    return interrupted


@pytest.fixture
def program(workspace):
    """The job's program while Flink plans it: `python job.py job.json`, for a second."""
    script = workspace.flink / "job" / "1a2b3c4d" / "job.py"
    script.parent.mkdir(parents=True)
    script.write_text("import time; print(1, flush=True); time.sleep(1)")
    running = subprocess.Popen([sys.executable, "-u", str(script), "job.json"], stdout=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline()
    yield running
    running.kill()
    running.communicate()


@pytest.mark.slow
def test_the_program_of_an_interrupted_submission_is_waited_for(workspace, program):
    launch.await_interrupted(workspace, SILENT)
    assert program.poll() is not None or not launch._is_planned(workspace)


def test_programs_of_other_workspaces_are_ignored(workspace, program, tmp_path):
    assert launch._is_planned(workspace) and not launch._is_planned(Workspace(tmp_path / "other"))
    job_record.save(workspace, JobRecord("new", "http://x"))
    launch.await_interrupted(workspace, SILENT)
    assert program.poll() is None, "a submission that Flink has answered is not waited for"


def test_a_drain_without_a_savepoint_is_refused_before_any_query(site_of):
    """It would cancel the job and record that its stream was scored to the end."""
    with pytest.raises(EugenieError, match="--drain needs a savepoint") as refused:
        stop(site_of(), drain=True, savepoint=False)
    assert refused.value.exit_code is ExitCode.USAGE


def test_a_record_from_a_clock_that_was_ahead_is_not_waited_for(workspace):
    tomorrow = time.time() + 86_400
    os.utime(workspace.run / "stream.json", (tomorrow, tomorrow))
    launch.await_interrupted(workspace, SILENT)
