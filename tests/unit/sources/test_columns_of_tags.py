"""Columns with a tag's quality or timestamp are reported as such, and no report advises ignoring them."""

from __future__ import annotations

import pytest
from support.history_sites import pump_site

from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import import_notes


def notes_of(tmp_path, header: str, row: str, **readings) -> list[str]:
    (tmp_path / "a.csv").write_text(f"{header}\n{row}\n")
    wide = {"shape": "wide", "ts": {"path": "time"}, **readings}
    site = pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "a.csv", "readings": wide}])
    return list(import_notes(import_sources(site)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "words"),
    [
        *(
            (name, "look like the quality of one tag")
            for name in ("FT-2.Quality", "FT-2_Q", "FT2 Status", "FT-2 [Quality]")
        ),
        *(
            (name, "look like the quality of one tag")
            for name in ("Quality(FT-2)", "FT2_QUALITY", "FT-2.PV.StatusCode")
        ),
        *((name, "look like the quality of one tag") for name in ("XX-9.Quality", "motor current quality")),
        *(
            (name, "look like the timestamp of one tag")
            for name in ("FT-2_TS", "FT2_TIMESTAMP", "FT-2.Time", "_TIMESTAMP")
        ),
        *(
            (name, "look like the quality of one tag")
            for name in ("FT-2 Qualität", "FT-2.ST", "FT-2_Flag", "FT-2.Valid", "FT-2 Bad", "FT-2.Invalid")
        ),
        *(
            (name, "look like the timestamp of one tag")
            for name in ("FT-2 Zeitstempel", "FT-2 Zeit", "FT-2.T", "FT-2 Horodatage", "FT-2_Tarih", "Uhrzeit FT-2")
        ),
        *((name, "look like the quality of a row") for name in ("Qualität", "Durum", "Flag", "Valid")),
        *((name, "look like the quality of a row") for name in ("_QUALITY", "Quality", "Status", "OPC Quality")),
        *((name, "repeat the name of an earlier column") for name in ("FT-2",)),
        *((name, "almost match a tag or sensor") for name in ("ft-2 ", "FT2", "PT-2.PV")),
        ("", "have values but no name"),
    ],
)
def test_no_note_advises_ignoring_a_column_that_belongs_to_a_tag(tmp_path, column, words):
    (note,) = notes_of(tmp_path, f"time,FT-2,{column}", "2026-01-03T06:00:00Z,1,0")
    assert words in note
    assert (column.strip() or "column 3") in note
    assert "ignore" not in note.replace("`case: ignore`", "")


def test_values_imported_without_their_quality_are_reported(tmp_path):
    (note,) = notes_of(tmp_path, "time,FT-2,FT-2.Quality", "2026-01-03T06:00:00Z,1,0")
    assert "map them with `columns: {quality: '{tag}_QUALITY'}`" in note
    assert "or values are imported without their quality" in note


def test_other_columns_may_be_ignored(tmp_path):
    (note,) = notes_of(tmp_path, "time,FT-2,operator,", "2026-01-03T06:00:00Z,1,x,")
    assert "operator (list them under `ignore`" in note
    assert notes_of(tmp_path, "time,FT-2,operator,", "2026-01-03T06:00:00Z,1,x,", ignore=["operator"]) == []


@pytest.mark.parametrize("column", ["Bad", "T", "operator", "FT-22", "FT-2.SP", "FT-2X", "TFT", "Batch", "Shift"])
def test_a_column_that_only_resembles_a_tag_is_an_ordinary_one(tmp_path, column):
    (note,) = notes_of(tmp_path, f"time,FT-2,{column}", "2026-01-03T06:00:00Z,1,0")
    assert f"{column} (list them under `ignore`" in note


def test_an_unmapped_quality_column_of_a_long_file_is_reported(tmp_path):
    header, row = "time,tag,value,Quality,area", "2026-01-03T06:00:00Z,FT-2,1,0,north"
    long = {"shape": "long", "tag": {"path": "tag"}}
    (note,) = notes_of(tmp_path, header, row, **long)
    assert "look like the quality of a row: map it as `quality`" in note
    assert notes_of(tmp_path, header, row, **long, quality={"path": "Quality", "scheme": "opcda"}) == []
