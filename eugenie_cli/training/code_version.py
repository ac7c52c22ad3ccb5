"""Which code trains and exports: versions, and the commit where it is a checkout."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import eugenie_cli

EUGENIE, TENSORFLOW = "eugenie.version", "eugenie.tensorflow"
COMMIT = "mlflow.source.git.commit"
"""MLflow's pages show it as the source's version."""


def tags() -> dict[str, str]:
    """MLflow tags of a run: the versions of eugenie and TensorFlow, and the commit of a checkout."""
    found = {EUGENIE: eugenie_cli.__version__, TENSORFLOW: version("tensorflow")}
    commit = _commit(Path(eugenie_cli.__file__).parents[1])
    return {**found, COMMIT: commit} if commit else found


def _commit(checkout: Path) -> str:
    """With `-dirty` when files differ from it; empty for what was installed from a wheel, or without git."""
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
