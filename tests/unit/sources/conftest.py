"""Packages with source types, put on the path."""

from __future__ import annotations

import sys

import pytest

from eugenie_cli.site import source_plugins, source_union


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package("module text")` puts a distribution with the source type `odd` on the path."""
    caches = (source_plugins._points, source_plugins.source_type, source_union._adapter)

    def put(text: str, name: str = "odd-sources", source: str = "odd") -> None:
        folder, module = tmp_path / name, name.replace("-", "_")
        metadata = folder / f"{module}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
        (metadata / "entry_points.txt").write_text(f"[eugenie.sources]\n{source} = {module}:SOURCE\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        for cached in caches:
            cached.cache_clear()

    yield put
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()
