"""People write labels, so every mistake in them is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.labels import Label, Labelled, read_labels
from eugenie_cli.site.schema import Site

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z


@pytest.fixture
def site() -> Site:
    return Site.model_validate({
        "site": "plant",
        "timezone": "Europe/Berlin",
        "classes": {"pump": {"sensors": [{"name": "pressure"}, {"name": "flow rate"}]}},
        "assets": {"p-1": {"class": "pump"}, "p-2": {"class": "pump"}},
    })  # fmt: skip


def labels_of(tmp_path: Path, site: Site, text: str):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_labels(path, Labelled(site.timezone, site.assets, site.classes))


def test_instants_may_have_an_offset_or_be_local_and_sensors_are_separated_by_semicolons(tmp_path, site):
    labels = labels_of(
        tmp_path, site, "\ufeffasset,start,end,sensors\n"
        "p-1,2026-01-01T12:00:00Z,2026-01-01T12:10:00Z,pressure; flow rate\n"
        "p-2,2026-01-01 13:00:00,2026-01-01T13:00:00.250,\n",
    )  # fmt: skip
    assert labels.labels == (
        Label("p-1", NOON, NOON + 600_000, ("pressure", "flow rate")),
        Label("p-2", NOON, NOON + 250),
    )
    assert labels.of(["p-2"]) == (Label("p-2", NOON, NOON + 250),)


def test_the_sensors_column_may_be_left_out(tmp_path, site):
    labels = labels_of(tmp_path, site, "asset,start,end\np-1,2026-01-01T12:00:00Z,2026-01-01T12:10:00Z\n")
    assert labels.labels[0].sensors == ()


def test_assets_of_other_sites_are_left_out_and_named(tmp_path, site):
    labels = labels_of(tmp_path, site, "asset,start,end\nx,2026-01-01T12:00:00Z,2026-01-01T12:10:00Z\n")
    assert (labels.labels, labels.foreign) == ((), ("x",))


def test_every_mistake_is_named_with_its_line(tmp_path, site):
    with pytest.raises(EugenieError) as caught:
        labels_of(
            tmp_path, site, "asset,start,end,sensors\n"
            "p-1,yesterday,2026-01-01T12:00:00Z,\n"
            "p-1,2026-01-01T12:00:00Z,2026-01-01T12:00:00Z,\n"
            "p-1,2026-01-01T12:00:00Z,2026-01-01T13:00:00Z,presure\n"
            "p-1,2026-01-01T12:00:00Z,2026-01-01T13:00:00Z,pressure\n"
            ",2026-01-01T12:00:00Z,2026-01-01T13:00:00Z,\n"
            "p-1,2026-03-29T02:30:00,2026-03-29T05:00:00Z,\n",
        )  # fmt: skip
    lines = caught.value.reason.splitlines()
    path = tmp_path / "labels.csv"
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{number}" for number in (2, 3, 4, 6, 7)]
    assert "'yesterday' is not an ISO 8601 instant" in lines[0]
    assert "end 2026-01-01T12:00:00Z is not after start" in lines[1]
    assert "class pump has no sensor 'presure' (did you mean pressure?)" in lines[2]
    assert "no asset" in lines[3]
    assert "does not exist in Europe/Berlin" in lines[4]


def test_a_missing_column_and_a_missing_file_say_what_is_expected(tmp_path, site):
    with pytest.raises(EugenieError, match=r"labels\.csv:1: no column start, end"):
        labels_of(tmp_path, site, "asset,from,to\n")
    with pytest.raises(EugenieError, match="cannot read labels") as caught:
        read_labels(tmp_path / "nowhere.csv", Labelled(site.timezone, site.assets, site.classes))
    assert "asset,start,end,sensors" in caught.value.hint
