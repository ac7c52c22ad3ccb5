"""Jars are downloaded by their coordinates, once, completely, and by several processes at once. Needs the network."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest

from eugenie_cli.engines import jars
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT

pytestmark = pytest.mark.integration

SMALL = min(jars.locked(), key=lambda jar: jar.size)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a lock file that pins only one small jar."""
    monkeypatch.setenv("EUGENIE_CACHE", str(tmp_path))
    monkeypatch.delenv(jars.ENV_FOLDER, raising=False)
    monkeypatch.setattr(jars, "locked", lambda: (SMALL,))
    return tmp_path / "jars"


def provide() -> list:
    return jars.provide([SMALL.role], None, SILENT)[SMALL.role]


def names(cache) -> set[str]:
    return {path.name for path in cache.iterdir()}


def test_a_jar_is_downloaded_once_and_is_the_pinned_one(cache):
    (path,) = provide()
    assert jars.sha256(path) == SMALL.sha256
    written = path.stat().st_mtime_ns
    provide()
    assert path.stat().st_mtime_ns == written
    assert names(cache) == {SMALL.filename, ".lock"}


def test_a_damaged_jar_is_downloaded_again(cache):
    (path,) = provide()
    path.write_bytes(path.read_bytes()[:-1])
    provide()
    assert jars.sha256(path) == SMALL.sha256


def test_processes_that_fill_the_cache_at_once_do_not_disturb_each_other(cache):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        provided = [result.get(120) for result in [pool.apply_async(provide) for _ in range(4)]]
    assert provided == [[cache / SMALL.filename]] * 4
    assert names(cache) == {SMALL.filename, ".lock"}


def test_bytes_that_are_not_the_pinned_ones_are_not_kept(cache, monkeypatch):
    monkeypatch.setattr(jars, "locked", lambda: (replace(SMALL, sha256="0" * 64),))
    with pytest.raises(EugenieError, match=r"jars\.lock requires 0000"):
        provide()
    assert names(cache) == {".lock"}


def test_what_cannot_be_downloaded_names_the_way_without_internet(cache, monkeypatch):
    monkeypatch.setattr(jars, "locked", lambda: (replace(SMALL, version="0.0.0-none"),))
    with pytest.raises(EugenieError, match=r"0\.0\.0-none cannot be downloaded") as raised:
        provide()
    assert jars.ENV_FOLDER in raised.value.hint
