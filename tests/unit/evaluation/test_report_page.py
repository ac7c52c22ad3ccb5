"""The page of an evaluation: its content, that it is self-contained, and that names in it are only text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from support.sample_reports import SENSORS, report_of

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.collector import MOST_EVENT_TRACES
from eugenie_cli.evaluation.page import formatting, svg
from eugenie_cli.evaluation.page.render import render, write_page
from eugenie_cli.evaluation.page.summary import summary

HOSTILE = ["p-1", '"><script>alert(1)</script>', "</style><img src=x onerror=alert(2)>", "{{ 7 * 7 }}", "pump & sons"]
MOST_BYTES = 2_000_000
"""Size that a phone opens without delay."""


class Elements(HTMLParser):
    """Every element with its attributes, and all text outside the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag):
        self._style = False

    def handle_data(self, data):
        if not self._style:
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def hostile() -> Elements:
    return Elements(render(report_of(HOSTILE)))


@pytest.mark.slow
def test_names_are_text_and_never_markup(hostile):
    for tag in ("script", "img", "iframe", "object", "b"):
        assert all(attributes == {} for attributes in hostile.of(tag)), tag
    assert not hostile.of("script") and not hostile.of("img")
    for name in (*HOSTILE, *SENSORS):
        assert name in hostile.text
    assert not any(attribute.startswith("on") for _, attributes in hostile.found for attribute in attributes)


@pytest.mark.slow
def test_nothing_is_asked_for_from_elsewhere(hostile):
    page = render(report_of(HOSTILE))
    addresses = [
        value for _, attributes in hostile.found for key, value in attributes.items() if key in ("src", "href")
    ]
    assert addresses == ["data:,"]
    assert not re.search(r"@import|url\(|https?://|//[a-z]", page)
    (policy,) = [meta["content"] for meta in hostile.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_every_picture_says_what_it_shows(hostile):
    drawings = hostile.of("svg")
    assert len(drawings) > 20
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    paths = hostile.of("path")
    assert all(path["d"] and not re.search("nan|inf", path["d"]) for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize(
    "labelled, known", [(True, True), (False, True), (True, False)], ids=["labels", "no labels", "no registry"]
)
def test_what_is_known_is_said_and_what_is_not_is_said_too(labelled, known):
    text = " ".join(Elements(render(report_of(["p-1", "p-2", "p-3"], labelled=labelled, known=known))).text.split())
    assert "alarms an hour" in text and "ISA-18.2" in text and "EEMUA" in text
    assert ("Of 3 known faults the model found 2" in text) == labelled
    assert ("nobody can say which alarms are right" in text) == (not labelled)
    assert ("Before, during and after faults" in text) == labelled
    assert ("1.25 times the .999 quantile" in text) == known
    assert ("the registry <does not> answer" in text) == (not known)


@pytest.mark.slow
def test_a_class_of_hundreds_of_assets_is_a_page_of_bounded_size():
    report = report_of([f"pump-{number}" for number in range(300)])
    page = render(report)
    assert len(page.encode()) < MOST_BYTES
    elements = Elements(page)
    assert len(elements.of("figure")) == MOST_EVENT_TRACES + 6
    text = " ".join(elements.text.split())
    assert f"{MOST_EVENT_TRACES} of 300 faults are shown: the missed and the latest" in text
    assert "100 of 300 assets are shown" in text
    assert all(
        event.detected is None for event, _ in report.findings.event_traces
    )  # a third were missed, and come first


def test_a_period_without_rows_is_a_page_too():
    report = report_of([])
    assert "no judged rows" in render(report)
    assert report.to_json()["period"] is None


def test_a_report_appears_whole_or_not_at_all(tmp_path):
    report = report_of(["p-1"])
    write_page(report, tmp_path / "new" / "r.html")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["r.html"]
    with pytest.raises(EugenieError, match="cannot write"):
        write_page(report, tmp_path / "new" / "r.html" / "below.html")


def test_the_summary_judges_by_the_benchmarks():
    report = report_of(["p-1", "p-2"])
    for per_hour, verdict, word in (
        (5.9, "good", "acceptable"),
        (11.0, "fair", "manageable"),
        (12.5, "poor", "too many"),
    ):
        load = replace(report.findings.load, per_hour=per_hour)
        sentences = summary(replace(report, findings=replace(report.findings, load=load)))
        (sentence,) = [sentence for sentence in sentences if "One operator" in sentence.text]
        assert sentence.verdict == verdict and word in sentence.text


def test_an_unsteady_model_is_called_so():
    report = report_of(["p-1"], labelled=False)

    def verdict(*halves: float) -> str:
        return summary(replace(report, findings=replace(report.findings, flagged_by_half=halves)))[1].verdict

    assert (verdict(0.01, 0.012), verdict(0.2, 0.25), verdict(0.01, 0.2)) == ("good", "fair", "poor")


def test_lines_break_where_nothing_is_known():
    nan = np.nan
    x = svg.xs(5)
    assert svg.line(x, np.array([1.0, 2.0, nan, nan, 3.0])) == "M100.0,1.0 300.0,2.0M899.0,3.0h2"
    assert svg.line(x, np.full(5, nan)) == ""
    assert svg.band(x[:2], np.array([1.0, 2.0]), np.array([3.0, 4.0])) == "M100.0,1.0 300.0,2.0 300.0,4.0 100.0,3.0Z"


def test_a_score_far_above_its_threshold_is_drawn_in_logs_so_that_the_threshold_stays_visible():
    place, labels, logarithmic = svg.score_scale(400.0)
    assert logarithmic and 20 < labels[0].percent < 80
    assert place(np.array([0.0, 1.0, 400.0])).tolist() == sorted(
        place(np.array([0.0, 1.0, 400.0])).tolist(), reverse=True
    )
    place, labels, logarithmic = svg.score_scale(0.5)
    assert not logarithmic and place(np.array([0.0]))[0] == 100


def test_figures_in_words():
    durations = [formatting.duration(value) for value in (None, 0.5, 3, 43, 120, 150, 7200, 5.5 * 86_400)]
    assert durations == ["–", "0.5 s", "3 s", "43 s", "2 min", "2.5 min", "2 h", "5.5 d"]
    assert [formatting.percent(value) for value in (None, 0.0, 0.00001, 0.1234)] == ["–", "0.0 %", "< 0.1 %", "12.3 %"]
    assert (formatting.counted(1, "alarm"), formatting.counted(1200, "alarm")) == ("1 alarm", "1,200 alarms")
    assert [formatting.pair(*ends) for ends in ((0.0213, 0.0267), (30.0, 33.0), (5.0, 5.0), (1000, 3000))] == [
        ("0.0213", "0.0267"), ("30.0", "33.0"), ("5", "5"), ("1000", "3000"),
    ]  # fmt: skip
