"""Rendered files and files of others in one folder."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess

import pytest

from eugenie_cli.deploy import output
from eugenie_cli.deploy.output import write
from eugenie_cli.deploy.request import Document
from eugenie_cli.errors import EugenieError, ExitCode

DOCUMENTS = [Document("a.yaml", "a: 1\n"), Document("config/b.config", "b\n")]


def states(folder, documents, **options):
    written = write(folder, "compose", documents, **options)
    return {str(file.path).removeprefix(f"{folder}/"): file.state for file in written}


@pytest.fixture
def folder(tmp_path):
    assert states(tmp_path / "out", DOCUMENTS) == {"a.yaml": "written", "config/b.config": "written"}
    return tmp_path / "out"


def test_a_second_rendering_writes_only_changed_files(folder):
    assert set(states(folder, DOCUMENTS).values()) == {"unchanged"}
    assert states(folder, [Document("a.yaml", "a: 2\n"), DOCUMENTS[1]]) == {
        "a.yaml": "written",
        "config/b.config": "unchanged",
    }
    assert (folder / "a.yaml").read_text() == "a: 2\n"


def test_others_can_read_the_files(folder):
    assert stat.S_IMODE((folder / "a.yaml").stat().st_mode) == 0o644


def test_files_that_are_no_longer_rendered_are_removed(folder):
    assert states(folder, DOCUMENTS[:1]) == {"a.yaml": "unchanged", "config/b.config": "removed"}
    assert not (folder / "config" / "b.config").exists()


def test_edited_files_that_are_no_longer_rendered_are_kept(folder):
    (folder / "config" / "b.config").write_text("mine\n")
    assert states(folder, DOCUMENTS[:1]) == {"a.yaml": "unchanged"}
    assert (folder / "config" / "b.config").read_text() == "mine\n"


def test_an_edited_file_is_refused_before_anything_is_written(folder):
    (folder / "config" / "b.config").write_text("mine\n")
    with pytest.raises(EugenieError, match=r"b\.config: not written by this command, or changed since") as raised:
        write(folder, "compose", [Document("a.yaml", "a: 2\n"), Document("config/b.config", "b2\n")])
    assert raised.value.exit_code is ExitCode.REFUSED and "--force" in raised.value.hint
    assert (folder / "a.yaml").read_text() == "a: 1\n"
    assert states(folder, DOCUMENTS, force=True)["config/b.config"] == "written"
    assert (folder / "config" / "b.config").read_text() == "b\n"


def test_a_file_of_someone_else_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("theirs\n")
    with pytest.raises(EugenieError, match=r"a\.yaml: not written by this command"):
        write(tmp_path, "compose", DOCUMENTS)
    assert (tmp_path / "a.yaml").read_text() == "theirs\n"


def test_an_identical_file_of_someone_else_counts_as_unchanged(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert states(tmp_path, DOCUMENTS)["a.yaml"] == "unchanged"


def test_targets_share_a_folder_without_removing_each_others_files(folder):
    write(folder, "kserve", [Document("c.yaml", "c\n")])
    write(folder, "kserve", [Document("d.yaml", "d\n")])
    assert (folder / "a.yaml").exists() and (folder / "d.yaml").exists() and not (folder / "c.yaml").exists()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_sha256sum_can_check_the_record(folder):
    checked = subprocess.run(
        ["sha256sum", "--check", ".rendered-compose.sha256"], cwd=folder, capture_output=True, text=True
    )
    assert checked.returncode == 0 and checked.stdout.count("OK") == 2


def test_kubectl_does_not_mistake_the_record_for_a_manifest(folder):
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert hidden and not any(name.endswith((".yaml", ".yml", ".json")) for name in hidden)


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_symbolic_link(tmp_path, force):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "b.config").write_text("b\n")  # the content that would be written
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config").symlink_to(theirs)
    with pytest.raises(EugenieError, match="config is a symbolic link") as raised:
        write(tmp_path / "out", "compose", [DOCUMENTS[0], Document("config/b.config", "other\n")], force)
    assert raised.value.exit_code is ExitCode.REFUSED
    assert (theirs / "b.config").read_text() == "b\n" and not (tmp_path / "out" / "a.yaml").exists()


@pytest.mark.parametrize("content", ["a: 1\n", "theirs\n"])
def test_a_link_in_the_place_of_a_file_is_foreign_and_its_target_never_changes(tmp_path, content):
    (tmp_path / "theirs").write_text(content)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.yaml").symlink_to(tmp_path / "theirs")
    with pytest.raises(EugenieError, match="not written by this command"):
        write(tmp_path / "out", "compose", DOCUMENTS)
    write(tmp_path / "out", "compose", [Document("a.yaml", "a: 2\n")], force=True)
    assert (tmp_path / "theirs").read_text() == content and not (tmp_path / "out" / "a.yaml").is_symlink()


@pytest.mark.parametrize("way", ["../theirs", "{0}/theirs", "linked/theirs"])
def test_a_forged_record_removes_nothing_outside_the_folder(tmp_path, way):
    (tmp_path / "theirs").write_text("theirs\n")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path)
    digest = hashlib.sha256(b"theirs\n").hexdigest()
    (folder / ".rendered-compose.sha256").write_text(f"{digest}  {way.format(tmp_path)}\n")
    write(folder, "compose", DOCUMENTS)
    assert (tmp_path / "theirs").read_text() == "theirs\n"


def test_a_rendering_that_was_killed_halfway_can_be_repeated(folder, monkeypatch):
    newer = [Document("a.yaml", "a: 2\n"), Document("config/b.config", "b2\n"), Document("c.yaml", "c\n")]
    replace, killed = output._replace, []

    def dies(path, content):
        if path.name == "b.config":
            killed.append(path)
            raise KeyboardInterrupt
        replace(path, content)

    monkeypatch.setattr(output, "_replace", dies)
    with pytest.raises(KeyboardInterrupt):
        write(folder, "compose", newer)
    monkeypatch.undo()
    assert killed and (folder / "a.yaml").read_text() == "a: 2\n"
    newest = [Document("a.yaml", "a: 3\n"), *newer[1:]]
    assert states(folder, newest) == {"a.yaml": "written", "config/b.config": "written", "c.yaml": "written"}
    assert sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp")) == []


def test_files_of_others_in_the_folder_stay(folder):
    for name in ("config/theirs", ".a.yaml.new", "notes", "job/x/y"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    write(folder, "compose", [Document("z.yaml", "z\n")], force=True)
    for name in ("config/theirs", ".a.yaml.new", "notes", "job/x/y"):
        assert (folder / name).read_text() == name


def test_an_output_path_that_is_not_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EugenieError, match="cannot write to"):
        write(tmp_path / "file", "compose", DOCUMENTS)


def test_a_folder_in_the_place_of_a_file_is_not_overwritten(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(EugenieError, match="not written by this command"):
        write(tmp_path, "compose", DOCUMENTS)
    with pytest.raises(EugenieError, match="cannot write to"):
        write(tmp_path, "compose", DOCUMENTS, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_lock_that_is_a_link_creates_nothing_outside_the_folder(tmp_path, force):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / output.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EugenieError, match=r"\.rendered\.lock is a symbolic link") as raised:
        write(tmp_path / "out", "compose", DOCUMENTS, force)
    assert raised.value.exit_code is ExitCode.REFUSED
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [output.LOCK]
