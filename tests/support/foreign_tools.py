"""Tools that cannot run in the project's environment; each gets a test's own venv."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UV = Path(sys.executable).parent / "uv"
INSTALL_WITHIN_S = 300


def environment(folder: Path, *packages: str) -> Path:
    """Create a venv with these packages and return its `bin` folder. Skips the test if they are not available."""
    uv = str(UV) if UV.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("no uv to make an environment with")
    made = subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    arguments = ["pip", "install", "--quiet", "--system-certs", "--python", str(folder / "bin" / "python"), *packages]
    try:
        done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{', '.join(packages)}: not installed within {INSTALL_WITHIN_S} s")
    if done.returncode != 0:
        pytest.skip(f"{', '.join(packages)}: not installed (no network?): {done.stderr.strip()[-300:]}")
    return folder / "bin"
