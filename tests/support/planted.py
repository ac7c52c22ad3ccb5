"""Secrets that contain `C4N4RY`, searched in everything that a command prints or leaves."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import pytest

from eugenie_cli.main import main

CANARY = re.compile(rb"C4N4RY\w*")


def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path, words: str) -> str:
    """The output of a command on both streams, regardless of how it ends."""
    monkeypatch.setattr(sys, "argv", ["eugenie", *words.split(), "--site", str(file)])
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # restored at the end of the test
    try:
        main()
    except SystemExit:
        pass
    except Exception as error:  # noqa: BLE001 - a user would also see the traceback
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.excepthook = sys.__excepthook__
    out, err = capfd.readouterr()
    return out + err


def left_behind(folder: Path) -> dict[str, set[bytes]]:
    """Files that contain a secret, except the plant's own and those that need one and only their owner can read."""
    exposed = {}
    for path in folder.rglob("*"):
        own = path.relative_to(folder).parts[0] in ("secrets", "sec.yaml")
        if own or not path.is_file() or path.is_symlink():
            continue
        hits = set(CANARY.findall(path.read_bytes()))
        if hits and not (path.name in ("spec.json",) and path.stat().st_mode & 0o077 == 0):
            exposed[str(path.relative_to(folder))] = hits
    return exposed
