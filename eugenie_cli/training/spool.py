"""Training runs kept on disk until they are on their tracking server: `spool/<id>/` of the workspace.

`run.json` is written first, `metrics.jsonl` grows, `artifacts/`, `params.json` and `data.json` hold those of the run.
`whole.json` is written last, by rename, and marks the run as complete and ready for upload. A folder without it belongs
to a training run that is still running or was killed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eugenie_cli.files import replace_file, sync_tree
from eugenie_cli.training import stale_runs
from eugenie_cli.training.training_data import TrainingData
from eugenie_cli.workspace import Workspace

TAG = "eugenie.spool"
"""MLflow tag of a run: its folder in the spool, which identifies a run that was already uploaded, or partly."""

LOCK = ".lock"
"""Held during uploads, so that no two processes upload the same run."""

_HEAD, _PARAMS, _METRICS, _WHOLE, _ARTIFACTS = "run.json", "params.json", "metrics.jsonl", "whole.json", "artifacts"
_DATA = "data.json"
_SENT = ".sent-"


@dataclass(frozen=True)
class Metric:
    """A value in MLflow's form. `timestamp`: ms since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True)
class Head:
    """What is known of a run at its start. `start`: ms since 1970; `tags` hold the class and the writing process;
    `name`: on MLflow's pages, by default the class's."""

    id: str
    class_name: str
    start: int
    tags: Mapping[str, str]
    name: str = ""


class SpooledRun:
    """A run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def head(self) -> Head:
        return Head(**json.loads((self.folder / _HEAD).read_text(encoding="utf-8")))

    @property
    def params(self) -> dict[str, str]:
        return dict(self._read(_PARAMS))

    @property
    def data(self) -> TrainingData | None:
        """The data set that the run learns from; None for a run that has not recorded it."""
        noted = self._read(_DATA)
        return TrainingData(**noted) if noted else None

    @property
    def artifacts(self) -> Path:
        """The folder of the artifacts, with the layout that MLflow will have."""
        return self.folder / _ARTIFACTS

    @property
    def ended(self) -> int | None:
        """When the run became complete, ms since 1970; None for a run that is being written or was killed."""
        return self._read(_WHOLE).get("ended")

    @property
    def version_tags(self) -> dict[str, str]:
        """Tags for the version that the run will become."""
        return dict(self._read(_WHOLE).get("version_tags", {}))

    def metrics(self, after: int = 0) -> list[Metric]:
        """All metrics but the first `after`; a last line that a kill cut short is ignored."""
        try:
            lines = (self.folder / _METRICS).read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [Metric(**json.loads(line)) for line in lines[after:]]

    # -- written by the training ---------------------------------------------------------------------------------

    def add_params(self, values: Mapping[str, str]) -> None:
        _replace(self.folder / _PARAMS, {**self.params, **values})

    def set_data(self, used: TrainingData) -> None:
        _replace(self.folder / _DATA, asdict(used))

    def add_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        with (self.folder / _METRICS).open("a", encoding="utf-8") as file:
            for key, value in values.items():
                file.write(json.dumps(asdict(Metric(key, float(value), now, step))) + "\n")

    def add_artifact(self, source: Path, at: str = "") -> None:
        """Copies a file, or the files of a folder, into folder `at` of the artifacts."""
        target = self.artifacts / at
        target.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)

    def finish(self, version_tags: Mapping[str, str]) -> None:
        """Marks the run as complete: it will become a version even if this process dies."""
        sync_tree(self.folder)
        _replace(self.folder / _WHOLE, {"ended": int(time.time() * 1000), "version_tags": dict(version_tags)})

    # -- after the upload ------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Removes the folder; to other processes it disappears at once."""
        trash = self.folder.with_name(_SENT + self.folder.name)
        if self.folder.exists():
            self.folder.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}


def begin(workspace: Workspace, class_name: str, tags: Mapping[str, str], name: str = "") -> SpooledRun:
    """Creates a run; `tags`: the MLflow tags that it will have; `name`: its name on MLflow's pages."""
    identity = uuid.uuid4().hex
    run = SpooledRun(workspace.spool / identity)
    run.folder.mkdir(parents=True)
    head = Head(identity, class_name, int(time.time() * 1000), {**tags, TAG: identity}, name or class_name)
    _replace(run.folder / _HEAD, asdict(head))
    return run


def waiting(workspace: Workspace) -> list[SpooledRun]:
    """Complete runs, oldest first."""
    starts = {}
    for run in _all(workspace):
        with contextlib.suppress(FileNotFoundError):  # another process has just uploaded it
            if run.ended is not None:
                starts[run] = run.head.start
    return sorted(starts, key=lambda run: starts[run])


def holds(workspace: Workspace, class_name: str, tag: str, value: str) -> SpooledRun | None:
    """The newest complete run of a class with this tag; None without one."""
    runs = [run for run in waiting(workspace) if run.head.class_name == class_name and run.head.tags.get(tag) == value]
    return runs[-1] if runs else None


def clean(workspace: Workspace) -> None:
    """Removes what killed processes left of incomplete runs."""
    for trash in workspace.spool.glob(_SENT + "*"):
        shutil.rmtree(trash, ignore_errors=True)
    for run in _all(workspace, headless=True):
        if run.ended is None and _is_abandoned(run):
            run.drop()


def _all(workspace: Workspace, *, headless: bool = False) -> Iterator[SpooledRun]:
    folder = workspace.spool
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.is_dir() and not path.name.startswith(".") and (headless or (path / _HEAD).exists()):
            yield SpooledRun(path)


# A new folder gets its `run.json` within a moment; one that has none after this long never will.
_HEADLESS_S = 60.0


def _is_abandoned(run: SpooledRun) -> bool:
    """Whether the process that wrote the run no longer exists."""
    try:
        return stale_runs.is_dead(run.head.tags)
    except FileNotFoundError:
        return run.folder.exists() and time.time() - run.folder.stat().st_mtime > _HEADLESS_S


def _replace(path: Path, value: Any) -> None:
    replace_file(path, lambda file: file.write(json.dumps(value, ensure_ascii=False).encode()))
