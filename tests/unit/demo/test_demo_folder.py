"""What a demo may replace: an earlier demo, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.demo.plant.plant import MANIFEST
from eugenie_cli.demo.run import prepare
from eugenie_cli.demo.simulate import SITE_FILE
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import SILENT


def test_a_folder_that_only_has_a_copy_of_the_site_file_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / SITE_FILE).write_text("site: mine\n")
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(EugenieError, match="holds no earlier demo"):
        prepare(tmp_path, SILENT)
    assert {path.name for path in tmp_path.iterdir()} == {SITE_FILE, "notes"}


def test_an_earlier_demo_is_replaced_also_one_that_had_only_begun(tmp_path: Path) -> None:
    for name in (MANIFEST, "exports"):
        folder = tmp_path / name.partition(".")[0]
        (folder / "exports").mkdir(parents=True)
        if name == MANIFEST:
            (folder / MANIFEST).write_text("{}")
        prepare(folder, SILENT)
        assert not folder.exists()
