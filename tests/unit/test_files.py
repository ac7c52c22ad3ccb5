"""A file is there whole or not at all: nobody sees half of one, and nothing is left beside it."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from eugenie_cli import files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("content", ["Öl 3 °C\n", b"\x00\xff"])
def test_a_file_is_replaced_in_a_folder_that_is_made(tmp_path, content):
    path = tmp_path / "run" / "ports.json"
    files.write_atomically(path, "old")
    files.write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(path.parent) == ["ports.json"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_who_may_read_it_is_said_and_not_the_umasks(tmp_path, umask, mode):
    files.write_atomically(tmp_path / "a", "x", mode)
    files.create_atomically(tmp_path / "b", "x", mode)
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "b") == mode


def test_without_a_mode_the_umask_decides(tmp_path, umask):
    with files.replacing(tmp_path / "a") as file:
        file.write(b"x")
    files.replace_file(tmp_path / "b", lambda file: file.write(b"x"))
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "b") == 0o644


@pytest.mark.parametrize("mode", [None, 0o600])
def test_an_error_in_the_block_leaves_the_file_as_it_was(tmp_path, mode):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.replacing(path, mode) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["scores.csv"]


def test_until_the_block_ends_others_see_the_old_file(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with files.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_two_writers_at_once_do_not_write_into_one_file(tmp_path):
    path = tmp_path / "state"
    with files.replacing(path) as one, files.replacing(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["state"]


def test_what_is_there_is_not_replaced_by_what_is_created(tmp_path):
    path = tmp_path / "site-configs" / "plant.yaml"
    files.create_atomically(path, "ours")
    with pytest.raises(FileExistsError):
        files.create_atomically(path, "theirs")
    assert path.read_text() == "ours"
    assert names(path.parent) == ["plant.yaml"]


def test_what_a_killed_writer_left_is_replaced_by_the_next(tmp_path):
    path = tmp_path / "manifest.json"
    (tmp_path / "manifest.json.tmp").write_bytes(b"half of a much longer content")
    files.replace_file(path, lambda file: file.write(b"{}"))
    assert path.read_bytes() == b"{}"
    assert names(tmp_path) == ["manifest.json"]


def test_a_writer_that_fails_leaves_the_old_content(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b"{}")

    def fails(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.replace_file(path, fails)
    assert path.read_bytes() == b"{}"
    assert names(tmp_path) == ["manifest.json"]


def test_a_folder_appears_with_all_that_is_in_it(tmp_path, umask):
    target = tmp_path / "pump" / "7"
    with files.new_folder(target) as staged:
        (staged / "variables").mkdir()
        (staged / "variables" / "data").write_text("x")
        assert not target.exists() and staged.name.startswith(files.STAGED)
    assert (target / "variables" / "data").read_text() == "x"
    assert mode_of(target) == 0o755
    assert names(target.parent) == ["7"]


def test_a_folder_that_failed_never_appears(tmp_path):
    with pytest.raises(ValueError, match="disagrees"), files.new_folder(tmp_path / "7") as staged:
        (staged / "graph").write_text("x")
        raise ValueError("disagrees")
    assert names(tmp_path) == []


def test_a_folder_does_not_take_the_place_of_another(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "graph").write_text("theirs")
    with pytest.raises(OSError, match="7"), files.new_folder(tmp_path / "7") as staged:
        (staged / "graph").write_text("ours")
    assert (tmp_path / "7" / "graph").read_text() == "theirs"
    assert names(tmp_path) == ["7"]


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_the_sha256_of_a_file_is_that_of_its_bytes(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "x").write_bytes(content)
    assert files.sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()
