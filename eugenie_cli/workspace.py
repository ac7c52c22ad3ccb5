"""Where a site's files lie. The only module that knows these paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """All that a site leaves on disk, under one root (default `.eugenie/<site>/`)."""

    root: Path

    @property
    def history(self) -> Path:
        """Parquet files and their manifest."""
        return self.root / "history"

    @property
    def models(self) -> Path:
        """`<class>/<version>/`: the model base path of TensorFlow Serving."""
        return self.root / "models"

    @property
    def candidates(self) -> Path:
        """`<class>/<version>/`: versions exported to be evaluated, which no server looks at."""
        return self.root / "candidates"

    @property
    def reports(self) -> Path:
        """`<class>/<version>.html`: what `eugenie evaluate` found last."""
        return self.root / "reports"

    @property
    def training(self) -> Path:
        """Where fits stand that go on, and arrays of trainings that run."""
        return self.root / "training"

    @property
    def mlflow(self) -> Path:
        """The local tracking store: `mlflow.db` and `artifacts/`."""
        return self.root / "mlflow"

    @property
    def spool(self) -> Path:
        """Training runs that wait for their tracking server, a folder each."""
        return self.root / "spool"

    @property
    def kafka(self) -> Path:
        """Log segments and settings of the embedded broker."""
        return self.root / "kafka"

    @property
    def flink(self) -> Path:
        """Settings of the embedded session cluster, `checkpoints/` and `savepoints/`."""
        return self.root / "flink"

    @property
    def checkpoints(self) -> Path:
        return self.flink / "checkpoints"

    @property
    def savepoints(self) -> Path:
        return self.flink / "savepoints"

    @property
    def logs(self) -> Path:
        """One log file for each engine."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Pid files and addresses of what is running."""
        return self.root / "run"


def cache_dir() -> Path:
    """Downloads that sites share (jars). `EUGENIE_CACHE` overrides `$XDG_CACHE_HOME/eugenie`."""
    override = os.environ.get("EUGENIE_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eugenie"


def shipped(name: str) -> Path:
    """A folder or file that travels with eugenie (`templates`, `site-configs`, `constraints.txt`).

    From an installed wheel it lies inside the package; in a checkout, beside it.
    """
    package = Path(__file__).parent
    installed = package / "_shipped" / name
    return installed if installed.exists() else package.parent / name
