"""Training runs on disk until their tracking server has them: `spool/<id>/` of the workspace.

`run.json` comes first, `metrics.jsonl` grows, `artifacts/` and `params.json` are as the run's; `whole.json` comes last,
by rename, and makes the run one that is to be sent. A folder without it is of a training that runs, or that was killed.
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
from eugenie_cli.workspace import Workspace

TAG = "eugenie.spool"
"""MLflow tag of a run: its folder in the spool, by which it is found if it was sent before, or in part."""

LOCK = ".lock"
"""Held while runs are sent: one is not sent by two at a time."""

_HEAD, _PARAMS, _METRICS, _WHOLE, _ARTIFACTS = "run.json", "params.json", "metrics.jsonl", "whole.json", "artifacts"
_SENT = ".sent-"


@dataclass(frozen=True)
class Metric:
    """A value as MLflow has it. `timestamp`: ms since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True)
class Head:
    """What is known of a run when it begins. `start`: ms since 1970; `tags` hold the class and the writing process."""

    id: str
    class_name: str
    start: int
    tags: Mapping[str, str]


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
    def artifacts(self) -> Path:
        """Their folder, as it is to be in MLflow."""
        return self.folder / _ARTIFACTS

    @property
    def ended(self) -> int | None:
        """When it became whole, ms since 1970; None for a run that is being written, or will never be."""
        return self._read(_WHOLE).get("ended")

    @property
    def version_tags(self) -> dict[str, str]:
        """Of the version that the run is to become."""
        return dict(self._read(_WHOLE).get("version_tags", {}))

    def metrics(self, after: int = 0) -> list[Metric]:
        """All but the first `after`; a line that a kill cut short is none."""
        try:
            lines = (self.folder / _METRICS).read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [Metric(**json.loads(line)) for line in lines[after:]]

    # -- written by the training ---------------------------------------------------------------------------------

    def add_params(self, values: Mapping[str, str]) -> None:
        _replace(self.folder / _PARAMS, {**self.params, **values})

    def add_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        with (self.folder / _METRICS).open("a", encoding="utf-8") as file:
            for key, value in values.items():
                file.write(json.dumps(asdict(Metric(key, float(value), now, step))) + "\n")

    def add_artifact(self, source: Path, at: str = "") -> None:
        """A file, or the files of a folder, into folder `at` of the artifacts."""
        target = self.artifacts / at
        target.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)

    def finish(self, version_tags: Mapping[str, str]) -> None:
        """From now on the run is whole: it becomes a version, whatever happens to this process."""
        sync_tree(self.folder)
        _replace(self.folder / _WHOLE, {"ended": int(time.time() * 1000), "version_tags": dict(version_tags)})

    # -- and at the end --------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Takes the folder away: at once, as others see it."""
        gone = self.folder.with_name(_SENT + self.folder.name)
        if self.folder.exists():
            self.folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}


def begin(workspace: Workspace, class_name: str, tags: Mapping[str, str]) -> SpooledRun:
    """A new run; `tags` as MLflow is to have them."""
    identity = uuid.uuid4().hex
    run = SpooledRun(workspace.spool / identity)
    run.folder.mkdir(parents=True)
    head = Head(identity, class_name, int(time.time() * 1000), {**tags, TAG: identity})
    _replace(run.folder / _HEAD, asdict(head))
    return run


def waiting(workspace: Workspace) -> list[SpooledRun]:
    """Whole runs, the oldest first."""
    begun = {}
    for run in _all(workspace):
        with contextlib.suppress(FileNotFoundError):  # sent by another process at this moment
            if run.ended is not None:
                begun[run] = run.head.start
    return sorted(begun, key=lambda run: begun[run])


def holds(workspace: Workspace, class_name: str, tag: str, value: str) -> SpooledRun | None:
    """The newest whole run of a class with this tag."""
    found = [run for run in waiting(workspace) if run.head.class_name == class_name and run.head.tags.get(tag) == value]
    return found[-1] if found else None


def clean(workspace: Workspace) -> None:
    """Takes away what killed processes left of runs that never became whole."""
    for left in workspace.spool.glob(_SENT + "*"):
        shutil.rmtree(left, ignore_errors=True)
    for run in _all(workspace, headless=True):
        if run.ended is None and _is_of_the_dead(run):
            run.drop()


def _all(workspace: Workspace, *, headless: bool = False) -> Iterator[SpooledRun]:
    folder = workspace.spool
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.is_dir() and not path.name.startswith(".") and (headless or (path / _HEAD).exists()):
            yield SpooledRun(path)


# A folder is made, and named in its head, within a moment; one that has none after this long never will.
_HEADLESS_S = 60.0


def _is_of_the_dead(run: SpooledRun) -> bool:
    """Whether the process that wrote the run is no more."""
    try:
        return stale_runs.is_dead(run.head.tags)
    except FileNotFoundError:
        return run.folder.exists() and time.time() - run.folder.stat().st_mtime > _HEADLESS_S


def _replace(path: Path, value: Any) -> None:
    replace_file(path, lambda file: file.write(json.dumps(value, ensure_ascii=False).encode()))
