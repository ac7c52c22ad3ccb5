"""A separate environment for TensorFlow Serving's official client, which needs a newer protobuf than this project.

It contains everything except TensorFlow: the client imports only TensorFlow's generated messages, and those of the
TensorFlow installed here work, because older generated code runs on a newer protobuf.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

API = "tensorflow-serving-api==2.21.*"
NEEDS = ("protobuf>=6.31.1,<7", "grpcio>=1.65", "numpy>=1.26")
"""Other requirements. TensorFlow 2.20's messages were generated for protobuf 5, and run on 6 but not on 7."""

MESSAGES = ("core", "compiler")
"""TensorFlow's folders with the messages that the client imports."""

_NO_NETWORK = ("dns error", "error sending request", "Could not connect", "Connection refused", "network", "timed out")


def make(folder: Path) -> Path:
    """Create the environment and return its Python. Skips the test only if packages cannot be fetched."""
    python = folder / "bin" / "python"
    _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    _install(python, "--no-deps", API)
    _install(python, *NEEDS)
    site_packages = next((folder / "lib").glob("python*/site-packages"))
    (site_packages / "tensorflow").mkdir()  # without `__init__.py`, so `import tensorflow` runs no code
    installed = find_spec("tensorflow")
    assert installed is not None and installed.origin is not None
    for name in MESSAGES:
        (site_packages / "tensorflow" / name).symlink_to(Path(installed.origin).parent / name)
    return python


def _install(python: Path, *packages: str) -> None:
    done = _uv("pip", "install", "--quiet", "--system-certs", "--python", str(python), *packages, check=False)
    if done.returncode != 0 and any(words in done.stderr for words in _NO_NETWORK):
        pytest.skip(f"the official client is not cached and cannot be fetched: {done.stderr.strip()[-500:]}")
    assert done.returncode == 0, done.stderr


def _uv(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    uv = Path(sys.executable).parent / "uv"
    return subprocess.run([str(uv), *arguments], capture_output=True, text=True, timeout=300, check=check)
