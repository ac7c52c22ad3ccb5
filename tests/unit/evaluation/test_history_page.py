"""The page of `history quality`: self-contained, escaped, with a plot of every sensor that has readings."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.page.history_page import BINS, write_page
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.quality import assess
from eugenie_cli.history.store import History

START = 1_767_225_600_000


class Balanced(HTMLParser):
    """Raises AssertionError for an element that is not closed in order."""

    VOID = ("meta", "link", "path")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path) -> str:
    site, history = pump_site(tmp_path), History(tmp_path)
    ts = START + 10_000 * np.arange(500)
    ts = ts[(ts < ts[200]) | (ts > ts[300])]
    rows = [("p1", sensor, int(t), n % 7 + 0.5) for sensor in ("flow", "pressure") for n, t in enumerate(ts)]
    state = {"names": {"asset": "p2"}, "unknown_columns": ["<script>alert(1)</script>"]}
    history.commit("s", [Batch.of(rows)], key="p1.csv")
    history.commit("s", [], key="p2.csv", state=state)
    write_page(site, history, assess(site, history), tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_it_is_one_file_that_fetches_and_runs_nothing(page):
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,"]


def test_it_shows_grades_findings_and_plots(page):
    assert "set `step: 10s, max_gap: 30s` in class pump" in page
    assert "p2 has no readings, its file p2.csv has columns" in page
    assert page.count("<svg") == 2  # flow and pressure of p1; p2 has nothing to draw
    assert "flow: 399 readings, one every 10 s" in page
    assert re.search(r'<path class="labelled" d="M\d', page), "the gap is shaded"
    band = re.search(r'<path class="value" d="([^"]*)"', page)
    assert band is not None
    assert 300 < band[1].count(",") / 2 <= BINS


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    site, history = pump_site(tmp_path), History(tmp_path)
    with pytest.raises(EugenieError, match="cannot write"):
        write_page(site, history, assess(site, history), tmp_path)
