"""Only pinned jars are used: from a folder, by name and checksum; all faults are listed at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.engines import jars, lock_jars
from eugenie_cli.engines.jars import Jar
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT
from eugenie_cli.site.schema import Site

CONTENT = b"a jar"


def jar(name: str, folder, content: bytes = CONTENT, role: str = "kafka") -> Jar:
    """A pinned jar with `content`, in the folder."""
    path = folder / f"{name}-1.0.jar"
    path.write_bytes(content)
    return Jar(role, "org.example", name, "1.0", len(content), jars.sha256(path))


def site(base: Path, folder: str | None) -> Site:
    document = {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
        "assets": {"p-1": {"class": "pump"}},
        "engines": {"jars": folder},
    }
    return Site.model_validate(document).model_copy(update={"base": base})


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    """Two pinned jars in a folder."""
    monkeypatch.delenv(jars.ENV_FOLDER, raising=False)
    both = (jar("broker", tmp_path), jar("connector", tmp_path, b"another", role="flink"))
    monkeypatch.setattr(jars, "locked", lambda: both)
    return both


def test_the_lock_names_each_jar_of_an_engine_once_with_its_checksum():
    locked = jars.locked()
    assert len({(pinned.role, pinned.filename) for pinned in locked}) == len(locked) > 40
    assert len({(pinned.filename, pinned.sha256) for pinned in locked}) == len({pinned.filename for pinned in locked})
    assert all(len(pinned.sha256) == 64 and pinned.size > 0 for pinned in locked)


def test_the_lock_holds_every_root_at_its_version():
    coordinates = {locked.coordinates for locked in jars.locked()}
    assert {root for roots in lock_jars.ROOTS.values() for root in roots} <= coordinates


def test_a_folder_of_jars_gives_the_class_path_of_each_engine(tmp_path, pinned):
    assert jars.provide(["kafka", "flink"], tmp_path, SILENT) == {
        "kafka": [tmp_path / "broker-1.0.jar"],
        "flink": [tmp_path / "connector-1.0.jar"],
    }


@pytest.mark.parametrize(("configured", "expected"), [(None, None), ("jars", "jars"), ("/opt", "/opt")])
def test_the_site_file_names_the_folder_and_none_means_to_download(tmp_path, monkeypatch, configured, expected):
    monkeypatch.delenv(jars.ENV_FOLDER, raising=False)
    assert jars.folder_of(site(tmp_path, configured)) == (expected and tmp_path / expected)


def test_the_environment_takes_precedence_over_the_site_file(tmp_path, monkeypatch):
    monkeypatch.setenv(jars.ENV_FOLDER, "/media/usb")
    assert jars.folder_of(site(tmp_path, "jars")) == Path("/media/usb")


def test_every_missing_jar_is_listed_by_file_name(tmp_path, pinned):
    for missing in pinned:
        (tmp_path / missing.filename).unlink()
    with pytest.raises(EugenieError) as raised:
        jars.provide(["kafka", "flink"], tmp_path, SILENT)
    assert "2 of 2 jars are not in" in raised.value.reason
    assert "broker-1.0.jar  (org.example:broker:1.0)" in raised.value.reason
    assert "connector-1.0.jar" in raised.value.reason


def test_only_the_requested_engines_need_their_jars(tmp_path, pinned):
    (tmp_path / "connector-1.0.jar").unlink()
    assert list(jars.provide(["kafka"], tmp_path, SILENT)) == ["kafka"]


def test_a_jar_with_other_bytes_is_refused(tmp_path, pinned):
    (tmp_path / "broker-1.0.jar").write_bytes(b"tampered")
    with pytest.raises(EugenieError, match=r"not the pinned ones:\n  broker-1\.0\.jar"):
        jars.provide(["kafka", "flink"], tmp_path, SILENT)
