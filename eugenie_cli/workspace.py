"""Paths of a site's files. No other module knows them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """Everything that a site keeps on disk, under one root (default `.eugenie/<site>/`)."""

    root: Path

    @property
    def history(self) -> Path:
        """Parquet files and their manifest."""
        return self.root / "history"

    @property
    def bridge(self) -> Path:
        """Live readings waiting for Kafka, a folder for each source that `eugenie bridge` reads."""
        return self.root / "bridge"

    @property
    def opcua(self) -> Path:
        """The certificate and key with which `opcua` sources connect, unless the site file names others."""
        return self.root / "opcua"

    @property
    def models(self) -> Path:
        """`<class>/<version>/`: the model base path of TensorFlow Serving."""
        return self.root / "models"

    @property
    def candidates(self) -> Path:
        """`<class>/<version>/`: versions exported for evaluation, which no server loads."""
        return self.root / "candidates"

    @property
    def reports(self) -> Path:
        """`<class>/<version>.html`: the latest report of `eugenie evaluate`."""
        return self.root / "reports"

    @property
    def training(self) -> Path:
        """Checkpoints of interrupted fits, and arrays of running trainings."""
        return self.root / "training"

    @property
    def mlflow(self) -> Path:
        """The local tracking store: `mlflow.db` and `artifacts/`."""
        return self.root / "mlflow"

    @property
    def spool(self) -> Path:
        """Training runs waiting for their tracking server, one folder each."""
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
        """Pid files and addresses of running processes."""
        return self.root / "run"


def cache_dir() -> Path:
    """Downloads shared by all sites (jars). `EUGENIE_CACHE` overrides `$XDG_CACHE_HOME/eugenie`."""
    override = os.environ.get("EUGENIE_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eugenie"


def shipped(name: str) -> Path:
    """A folder or file distributed with eugenie (`templates`, `site-configs`, `constraints.txt`).

    A wheel installs it inside the package; in a checkout it lies next to the package.
    """
    package = Path(__file__).parent
    installed = package / "_shipped" / name
    return installed if installed.exists() else package.parent / name
