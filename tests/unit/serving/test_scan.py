"""What the server finds in the models' directory, while others write there."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from eugenie_cli.serving.server.catalog import scan


def version(root: Path, name: str, number: str) -> Path:
    made = root / name / number
    made.mkdir(parents=True)
    (made / "saved_model.pb").write_bytes(b"graph")
    return made


def test_versions_newest_first_without_what_is_hidden_or_half_there(tmp_path: Path) -> None:
    for number in ("2", "10", ".3", "x", "²"):
        version(tmp_path, "pump", number)
    version(tmp_path, ".pump-4", "1")
    (tmp_path / "pump" / "11").mkdir()
    (tmp_path / "lüfter").mkdir()
    (tmp_path / "readme").write_text("not a model")
    found = scan(tmp_path)
    assert {name: [each.version for each in versions] for name, versions in found.items()} == {"pump": [10, 2]}


def test_a_disk_that_cannot_answer_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(tmp_path, "pump", "1")

    def fails(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(OSError, match="Input/output"):
        scan(tmp_path)


def test_no_directory_is_no_model(tmp_path: Path) -> None:
    assert scan(tmp_path / "nowhere") == {}


def test_directories_that_come_and_go_meanwhile_do_not_matter(tmp_path: Path) -> None:
    """Versions are copied into a hidden folder and renamed, and old ones deleted, while the server looks."""
    version(tmp_path, "pump", "1")
    stop = threading.Event()

    def churn(number: int) -> None:
        while not stop.is_set():
            hidden, shown = tmp_path / f".pump-{number}", tmp_path / f"fan-{number}"
            shutil.copytree(tmp_path / "pump", hidden)
            hidden.rename(shown)
            shutil.rmtree(shown)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(1_000):
            assert [each.version for each in scan(tmp_path)["pump"]] == [1]
            os.sched_yield()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
