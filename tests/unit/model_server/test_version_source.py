"""What the server finds in the models' directory while other processes write to it."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from eugenie_cli.model_server.aspired_versions import Unreleased
from eugenie_cli.model_server.version_source import scan


def version(root: Path, name: str, number: str) -> Path:
    directory = root / name / number
    directory.mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"graph")
    return directory


def test_versions_newest_first_without_what_is_hidden(tmp_path: Path) -> None:
    for number in ("2", "10", ".3", "x", "²"):
        version(tmp_path, "pump", number)
    assert [(found.version, found.problem) for found in scan(tmp_path / "pump")] == [(10, ""), (2, "")]


def test_models_are_directories_that_are_not_hidden(tmp_path: Path) -> None:
    version(tmp_path, ".pump-4", "1")
    (tmp_path / "lüfter").mkdir()
    (tmp_path / "readme").write_text("not a model")
    assert {name: model.folder for name, model in Unreleased(tmp_path).models().items()} == {
        "lüfter": tmp_path / "lüfter"
    }


def test_what_cannot_be_served_says_why(tmp_path: Path) -> None:
    (tmp_path / "pump" / "11").mkdir(parents=True)
    version(tmp_path, "pump", "007")
    version(tmp_path, "fan", "3")
    (tmp_path / "pump" / "12").symlink_to(tmp_path / "fan" / "3")
    version(tmp_path, "pump", "9")
    (tmp_path / "pump" / "10").symlink_to(tmp_path / "pump" / "9")
    problems = {found.version: found.problem for found in scan(tmp_path / "pump")}
    assert (problems[9], problems[10]) == ("", "")
    assert "without leading zeros" in problems[7]
    assert "no saved_model.pb" in problems[11]
    assert "leads out of the model's folder" in problems[12]


def test_of_two_directories_for_one_version_the_plain_one_counts(tmp_path: Path) -> None:
    version(tmp_path, "pump", "007")
    version(tmp_path, "pump", "7")
    assert [(found.directory.name, found.problem) for found in scan(tmp_path / "pump")] == [("7", "")]


def test_a_file_that_is_written_anew_makes_another_identity(tmp_path: Path) -> None:
    directory = version(tmp_path, "pump", "1")
    (before,) = scan(tmp_path / "pump")
    assert scan(tmp_path / "pump") == [before]
    (directory / "variables").mkdir()
    (directory / "variables" / "variables.data").write_bytes(b"half")
    assert scan(tmp_path / "pump") != [before]


def test_a_disk_that_cannot_answer_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(tmp_path, "pump", "1")

    def fails(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(OSError, match="Input/output"):
        scan(tmp_path / "pump")


def test_no_directory_is_no_model(tmp_path: Path) -> None:
    assert Unreleased(tmp_path / "nowhere").models() == {} and scan(tmp_path / "nowhere") == []


@pytest.mark.slow
def test_directories_that_come_and_go_meanwhile_do_not_matter(tmp_path: Path) -> None:
    """Versions are copied into a hidden folder and renamed, and old ones deleted, during the scan."""
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
            assert "pump" in Unreleased(tmp_path).models()
            for model in Unreleased(tmp_path).models().values():
                scan(model.folder)
            assert [found.version for found in scan(tmp_path / "pump")] == [1]
            os.sched_yield()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
