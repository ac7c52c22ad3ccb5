"""Site files written by tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eugenie_cli.site.diagnostics import SiteError

SMALL = """\
site: plant
classes:
  pump:
    sensors: [{name: pressure, unit: bar}, {name: current, unit: A}]
assets:
  pump-1: {class: pump}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(more)`: a minimal site file followed by `more`; `write(text, whole=True)`: only that text."""

    def to_file(text: str = "", *, whole: bool = False) -> Path:
        path = tmp_path / "site-configs" / "plant.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if whole else SMALL + text, encoding="utf-8")
        return path

    return to_file


@pytest.fixture
def problems(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """The problems of a file, without the file's name: `line:column: path: message`."""
    from eugenie_cli.site.load import load_site

    def of(text: str = "", *, whole: bool = False) -> list[str]:
        path = write(text, whole=whole)
        try:
            load_site(path)
        except SiteError as error:
            return [problem.show("")[1:] for problem in error.problems]
        return []

    return of
