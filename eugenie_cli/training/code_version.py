"""Identifies the code that trains and exports: package versions, and the commit of a checkout."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import eugenie_cli

EUGENIE, TENSORFLOW = "eugenie.version", "eugenie.tensorflow"
COMMIT = "mlflow.source.git.commit"
"""MLflow's pages show this tag as the version of the source."""


def tags() -> dict[str, str]:
    """MLflow tags of a run: the versions of eugenie and TensorFlow, and the commit of a checkout."""
    versions = {EUGENIE: eugenie_cli.__version__, TENSORFLOW: version("tensorflow")}
    commit = _commit(Path(eugenie_cli.__file__).parents[1])
    return {**versions, COMMIT: commit} if commit else versions


def _commit(checkout: Path) -> str:
    """The commit, with `-dirty` when files differ from it; empty for an installed wheel, or without git."""
    if not (checkout / ".git").exists():
        return ""
    try:
        described = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()
