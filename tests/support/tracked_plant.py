"""A plant with trained versions in a local tracking store, and its commands as users call them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.main import app
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site

SITE = """\
site: plant
workspace: work
classes:
  pump: {sensors: [{name: a}, {name: b}], model: {type: mewma, window: 20}}
assets:
  p1: {class: pump, normal: [{start: 1970-01-01T00:00:00Z, end: 1970-01-01T00:10:00Z}]}
"""
ROWS = 1200
NAME = "plant.pump"
"""The class in MLflow's registry."""

_COMMAND = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `error`: its reason, empty if it succeeded; `hint`: what to do; `crash`: a traceback."""

    said: str
    error: str = ""
    hint: str = ""
    crash: str = ""

    @property
    def ways_out(self) -> list[str]:
        """The commands that the hint names."""
        return _COMMAND.findall(self.hint)


class Plant:
    """A site in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "plant.yaml"

    @property
    def site(self) -> Site:
        return load_site(self.file)

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    @property
    def store(self) -> str:
        """The store's tracking URI."""
        return f"sqlite:///{self.workspace}/mlflow/mlflow.db"

    def copied(self, folder: Path) -> Plant:
        """A copy, as a backup is made and restored."""
        from mlflow.tracking._tracking_service import utils

        shutil.copytree(self.folder, folder)
        utils._artifact_repos_cache.clear()  # a process remembers a run's folder by its id, whatever the store
        return Plant(folder)

    def run(self, *words: str) -> Outcome:
        """Runs `eugenie WORDS` in this process."""
        done = CliRunner().invoke(app, [*words, "--site", str(self.file)])
        problem = done.exception
        if isinstance(problem, EugenieError):
            return Outcome(done.output, problem.reason, problem.hint or "")
        if problem is not None and not isinstance(problem, SystemExit):
            return Outcome(done.output, str(problem), crash="".join(traceback.format_exception(problem)))
        return Outcome(done.output, "" if done.exit_code == 0 else f"exit code {done.exit_code}")

    def follow(self, command: str) -> None:
        """Runs a command that a hint names, MLflow's in a shell. Raises AssertionError when it fails."""
        if command.startswith("eugenie "):
            done = self.run(*command.split()[1:])
            assert not done.error, f"{command}: {done.error}\n{done.crash}"
            return
        variable, program, *rest = command.split()
        assert variable.startswith("MLFLOW_TRACKING_URI=") and program == "mlflow", command
        shell = f"{variable} {sys.executable} -m mlflow {' '.join(rest)}"
        subprocess.run(shell, shell=True, check=True, capture_output=True, timeout=120)  # noqa: S602 - as a user would


def made(folder: Path, *, site: str = SITE, assets: Sequence[str] = ("p1",)) -> Plant:
    """A plant with twenty minutes of readings of each asset and no version yet."""
    folder.mkdir(parents=True, exist_ok=True)
    plant = Plant(folder)
    plant.file.write_text(site, encoding="utf-8")
    chance = np.random.default_rng(0)
    index, ts = np.tile(np.arange(2, dtype=np.int32), ROWS), np.repeat(np.arange(ROWS) * 1000, 2)
    for asset in assets:
        readings = Batch([(asset, "a"), (asset, "b")], index, ts, chance.normal(20, 1, 2 * ROWS))
        open_history(plant.site).commit("logger", [readings], key=asset)
    return plant


def trained(folder: Path) -> Plant:
    """A plant with the champion 1, which was promoted over 2 and is exported, and the challenger 3."""
    plant = made(folder)
    for words in (["train"], ["train", "--again"], ["export"], ["models", "promote", "pump", "2"],
                  ["models", "promote", "pump", "1"], ["train", "--again"]):  # fmt: skip
        done = plant.run(*words)
        assert not done.error, f"{words}: {done.error}\n{done.crash}"
    return plant
