"""An evaluation report in a real browser: every plot is drawn, nothing is fetched, nothing overflows the page.

Screenshots are stored in EUGENIE_SCREENSHOTS or in pytest's temporary folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.debian_packages import Unavailable
from support.headless_browser import Page, browser
from support.registered_plant import registered
from support.sample_reports import report_of
from typer.testing import CliRunner

from eugenie_cli.evaluation.page.render import write_page
from eugenie_cli.evaluation.provenance import Unknown, provenance
from eugenie_cli.main import app
from eugenie_cli.training.registry import Registry

pytestmark = pytest.mark.integration

WIDTHS = {"phone": 390, "desktop": 1280}
NARROWEST_NAME = 60
"""Minimum width of a row's heading in CSS pixels: below it, a name becomes a column of letters."""
LABELS = """\
asset,start,end,sensors
pump-1,2026-01-01T00:03:00Z,2026-01-01T00:05:00Z,flow
pump-1,2026-01-01T00:08:00Z,2026-01-01T00:09:00Z,flow;pressure
"""
HOSTILE = ["p-1", '"><script>document.title = "taken"</script>', "</style><img src=x onerror=fetch('//x')>", "a-" * 40]

DRAWINGS = """
[...document.querySelectorAll('svg, img')].map(one => {
  const box = one.getBoundingClientRect();
  const drawn = path => { const b = path.getBBox(); return b.width + b.height > 0; };
  const marks = [...one.querySelectorAll('path')].filter(drawn);
  return {label: one.getAttribute('aria-label'), width: box.width, height: box.height, marks: marks.length};
})
"""
OVER_EACH_OTHER = """
[...document.querySelectorAll('.chart')].flatMap(chart => {
  const labels = [...chart.querySelectorAll('.x, .y')];
  const boxes = labels.map(one => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([text, a], i) => boxes.slice(i + 1)
    .filter(([_, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => text + ' | ' + other));
})
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    try:
        with browser(folder) as opened:
            yield opened
    except Unavailable as lacking:
        pytest.skip(f"no browser to look at the report with: {lacking}")


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    named = os.environ.get("EUGENIE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def look(page: Page, file: Path, width: int, *, dark: bool = False) -> list[dict]:
    """Open the report with all details unfolded, check what must hold at any width, and return its drawings."""
    page.open(file, width, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.complaints == []
    assert page.requested == [file.absolute().as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawings = page.evaluate(DRAWINGS)
    for drawing in drawings:
        assert drawing["width"] > 20 and drawing["height"] > 8, drawing
        assert drawing["label"] and drawing["marks"], drawing
    assert page.evaluate("Math.min(...[...document.querySelectorAll('tbody th')].map(one => one.clientWidth))") > (
        NARROWEST_NAME
    )
    assert page.evaluate(OVER_EACH_OTHER) == []
    return drawings


def test_a_registered_models_report_at_a_desk_and_on_a_phone(page, tmp_path, screenshots, tell, monkeypatch):
    site = registered(tmp_path)
    (tmp_path / "labels.csv").write_text(LABELS)
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", "--site", str(site.file), "--labels", "labels.csv", "-o", "json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    file = site.base / "work" / "reports" / "pump" / "1.html"
    assert f"report: {file}" in done.stderr.replace("\n", "")

    kept = []
    for name, width in WIDTHS.items():
        drawings = look(page, file, width)
        assert len(drawings) > 5
        kept.append(page.screenshot(screenshots / f"report-{name}.png"))
    shown = page.evaluate("document.body.innerText")
    events = document["events"]
    assert f"{events['detected']} of {events['total']}" in shown
    assert document["training"]["data_fingerprint"] == "ab12" and "ab12" in shown
    assert [asset["asset"] for asset in document["calibration"]["assets"]] == ["pump-1", "pump-2", "pump-3"]
    unknown = provenance(Registry(site), "pump", 99)
    assert isinstance(unknown, Unknown) and "version 99" in unknown.reason
    tell(f"the report of a small plant: {file.stat().st_size // 1000} kB, {', '.join(map(str, kept))}")


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "two versions"])
@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no labels"])
def test_a_report_full_of_hostile_names_is_only_a_report(page, tmp_path, screenshots, labelled, beside):
    file = tmp_path / "report.html"
    write_page(report_of(HOSTILE, labelled=labelled, beside=beside), file)
    for name, width in WIDTHS.items():
        look(page, file, width, dark=True)
        page.screenshot(screenshots / f"hostile-{labelled}-{beside}-{name}.png")
        versions = page.evaluate("document.querySelectorAll('.chart .beside').length")
        assert (versions > 0) == beside
        assert page.evaluate("document.title") == "pump, version 7"
        assert page.evaluate("document.scripts.length + document.images.length") == 0


def test_a_class_in_a_flood_of_alarms_still_fits(page, tmp_path):
    file = tmp_path / "report.html"
    report = report_of([f"pump-{number}" for number in range(36)])
    assert report.findings.load.per_hour > 20 and report.findings.load.floods
    write_page(report, file)
    for width in WIDTHS.values():
        look(page, file, width)


def test_dark_is_dark_and_print_is_black_on_white_and_unfolded(page, tmp_path):
    file = tmp_path / "report.html"
    write_page(report_of(["p-1", "p-2"]), file)
    colours = {}
    for name, options in {"light": {}, "dark": {"dark": True}, "print": {"dark": True, "media": "print"}}.items():
        page.open(file, 800, **options)
        colours[name] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours == {"light": "rgb(246, 247, 248)", "dark": "rgb(14, 16, 19)", "print": "rgb(255, 255, 255)"}
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    assert page.evaluate("document.querySelector('details table').checkVisibility({contentVisibilityAuto: true})")


def test_a_page_that_fetches_or_fails_would_be_noticed(page, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text("<svg></svg><img src='missing.png'><script>console.error('no')</script><p style='width:2000px'>")
    page.open(file, 390)
    assert len(page.requested) == 2
    assert any("no" in complaint for complaint in page.complaints)
    assert page.evaluate("document.documentElement.scrollWidth") > 390
    assert any(not drawing["marks"] for drawing in page.evaluate(DRAWINGS))
