"""Files in which the local times of some assets are those of another time zone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from support.history_sites import pump_site
from support.looked import looked, questions

from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import import_notes

BEGIN = datetime(2026, 1, 13, tzinfo=timezone.utc)
LONG = {"asset": {"path": "a"}, "sensor": {"path": "s"}, "ts": {"path": "t"}, "value": {"path": "v"}}


def rows(offset: float, asset: str, count: int = 500, late: float = 0.0, tail: str = "") -> list[tuple[int, str]]:
    """(minute of the reading, row): a reading a minute, `late` seconds later, by a clock `offset` hours ahead."""
    found = []
    for minute in range(count):
        clock = BEGIN + timedelta(hours=offset, minutes=minute, seconds=late)
        found.append((minute, f"{asset},flow,{clock:%Y-%m-%d %H:%M:%S}{tail},{minute % 7}.5"))
    return found


def text(*assets: list[tuple[int, str]], interleaved: bool = True) -> str:
    together = [row for of_asset in assets for row in of_asset]
    ordered = sorted(together, key=lambda row: row[0]) if interleaved else together
    return "a,s,t,v\n" + "".join(f"{row}\n" for _, row in ordered)


def notes(folder, content: str, **more) -> list[str]:
    (folder / "a.csv").write_text(content)
    source = {"name": "s", "type": "csv", "path": "a.csv", "readings": {**LONG, **more}}
    return [note for note in import_notes(import_sources(pump_site(folder, [source]))) if "time zone" in note]


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("offset", [-1, 1, 0.5, -2])
def test_hours_between_two_assets_are_said(tmp_path, offset, interleaved):
    content = text(rows(0, "p1"), rows(offset, "p2", late=9), interleaved=interleaved)
    (note,) = notes(tmp_path, content)
    behind, ahead = ("p2", "p1") if offset < 0 else ("p1", "p2")
    assert f"local times of {behind} begin and end {abs(offset):g} h before those of {ahead}" in note
    named = content.replace("a,s,t,v", "machine,sensor,time,value")
    assert "local times of" in questions(looked(tmp_path / "look", {"a.csv": named}))


@pytest.mark.parametrize(
    "content",
    [
        text(rows(0, "p1"), rows(0, "p2")),
        text(rows(0, "p1", tail="Z"), rows(1, "p2", tail="Z")),  # with an offset, they are what they are
        text(rows(0, "p1"), rows(1, "p2", count=440)),  # began an hour later, and ended with the other
        text(rows(0, "p1"), rows(1, "p2", late=400)),
        text(rows(0, "p1", count=90), rows(1, "p2", count=90)),  # too short to tell
        text(rows(0, "p1")),
    ],
)
def test_other_assets_are_in_one_zone(tmp_path, content):
    assert notes(tmp_path, content) == []


def test_instants_without_a_zone_are_in_none(tmp_path):
    content = "a,s,t,v\n" + "".join(
        f"{asset},flow,{1_768_280_400 + minute * 60 + offset},1\n"
        for minute in range(500)
        for asset, offset in (("p1", 0), ("p2", 3_600))
    )
    assert notes(tmp_path, content, ts={"path": "t", "unit": "s"}) == []
