"""A demo may replace an earlier demo, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eugenie_cli.demo import pipeline
from eugenie_cli.demo.exports import EXPORTS
from eugenie_cli.demo.plant.plant import MANIFEST
from eugenie_cli.demo.run import prepare
from eugenie_cli.demo.simulate import SITE_FILE
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT
from eugenie_cli.workspace import shipped


@pytest.mark.parametrize("names", [{SITE_FILE, "notes"}, {EXPORTS}, {"notes"}, {SITE_FILE, EXPORTS, "notes"}])
def test_a_folder_with_anything_else_is_not_deleted(tmp_path: Path, names: set[str]) -> None:
    """For example a copy of the site file with other files, or a plant's own `exports`."""
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(EugenieError, match="contains no earlier demo"):
        prepare(tmp_path, SILENT)
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("names", [{MANIFEST, EXPORTS}, {SITE_FILE}, {SITE_FILE, EXPORTS}])
def test_an_earlier_demo_is_replaced_even_if_it_had_only_begun(
    tmp_path: Path, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.Pipeline, "stop_engines", lambda *_: None)
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")
    if SITE_FILE in names:
        shutil.copyfile(shipped("templates") / SITE_FILE, folder / SITE_FILE)
    prepare(folder, SILENT)
    assert not folder.exists()
