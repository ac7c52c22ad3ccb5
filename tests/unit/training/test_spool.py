"""Runs on disk are complete, or known to be incomplete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eugenie_cli.training import spool, stale_runs
from eugenie_cli.workspace import Workspace

WRITER = """
import os, signal, sys
from pathlib import Path
from eugenie_cli.training import spool, stale_runs
from eugenie_cli.workspace import Workspace

run = spool.begin(Workspace(Path(sys.argv[1])), "pump", stale_runs.marks())
run.add_params({"model.type": "mewma"})
run.add_metrics({"loss": 1.0})
if sys.argv[2] == "whole":
    run.finish({})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


@pytest.mark.slow
def test_a_killed_training_run_leaves_a_complete_run_or_one_that_is_removed(workspace: Workspace) -> None:
    for ending in ("whole", "cut"):
        killed = subprocess.run([sys.executable, "-c", WRITER, str(workspace.root), ending], check=False)
        assert killed.returncode == -9
    alive = spool.begin(workspace, "pump", stale_runs.marks())
    assert len(list(workspace.spool.iterdir())) == 3
    spool.clean(workspace)
    [whole] = spool.waiting(workspace)
    assert {path.name for path in workspace.spool.iterdir()} == {whole.head.id, alive.head.id}
    assert whole.params == {"model.type": "mewma"}
    assert [(metric.key, metric.value) for metric in whole.metrics()] == [("loss", 1.0)]


def test_a_metric_that_was_cut_short_is_ignored(workspace: Workspace) -> None:
    run = spool.begin(workspace, "pump", stale_runs.marks())
    for step in range(3):
        run.add_metrics({"loss": float(step)}, step)
    file = run.folder / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-5])
    assert [metric.step for metric in run.metrics()] == [0, 1]
    assert [metric.step for metric in run.metrics(after=1)] == [1]


def test_a_spooled_run_is_found_by_its_tag_and_dropped_at_once(workspace: Workspace) -> None:
    runs = [spool.begin(workspace, "pump", {"recipe": "r1"}) for _ in range(2)]
    assert spool.holds(workspace, "pump", "recipe", "r1") is None
    for run in runs:
        run.finish({"recipe": "r1"})
    newest = spool.holds(workspace, "pump", "recipe", "r1")
    assert newest is not None
    assert newest.version_tags == {"recipe": "r1"}
    assert spool.holds(workspace, "fan", "recipe", "r1") is None
    names = {run.head.id for run in runs}
    newest.drop()
    assert {run.head.id for run in spool.waiting(workspace)} == names - {newest.head.id}
