"""Exports that are parsed as numbers give bit for bit what they give when they are read as texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.sources.csv import importer as csv_importer
from eugenie_cli.sources.csv import number_blocks
from eugenie_cli.sources.csv.number_blocks import NumberBlocks
from eugenie_cli.sources.interface import Tally, importer_for

PLAIN = ["20.5", "-3", "0", "1e3", "-0.0", ".5", "5.", "2147483648", "0.1", "1e-320", "123456789.123456789"]
ODD = ["", "", " 7", "8 ", '"9"', '""', "+1", "nan", "inf", "-inf", "Infinity", "1e39", "-1e39", "1e999", "0x1p3"]
WORDS = ["Bad", "OPEN", "on", "No Data", "#N/A", "1,5", "twelve", "1_0", " ", "-9999", "NULL"]
STAMPS = ["2026-01-13T12:00:00", "2026-01-13T12:00:01Z", "2026-10-25T02:30:00", "2026-10-25T03:30:00", "soon", ""]

PARTS = st.fixed_dictionaries(
    {},
    optional={
        "asset": st.sampled_from([{"const": "p1"}, {"path": "asset"}]),
        "quality": st.just({"path": "q"}),
        "value": st.sampled_from(
            [
                {"bad": [-9999, "0..0.2"]},
                {"scale": 0.1, "offset": 32},
                {"map": {"OPEN": 1, "20.5": 7}},
                {"map": {"": 0}},
                {"decimal": ","},
                {"thousands": "'"},
            ]
        ),
        "ts": st.sampled_from([{"path": "ts"}, {"path": "ts", "ambiguous": "order"}]),
    },
)
CELLS = st.sampled_from(PLAIN * 4 + ODD)
ROWS = st.tuples(
    st.sampled_from(STAMPS[:2] * 6 + STAMPS),
    st.sampled_from(["p1"] * 6 + ["p2", "", "p9"]),
    st.sampled_from(["Good"] * 6 + ["", "Bad", "perhaps"]),
    st.tuples(CELLS, st.sampled_from([""] * 8 + PLAIN[:2]), CELLS, CELLS),
)


def imported(path: Path, readings: dict) -> tuple[list[tuple], dict]:
    """(the batches' columns as bytes, everything that the import counted)."""
    site = pump_site(path.parent, [{"name": "s", "type": "csv", "path": path.name, "readings": readings}])
    importer = importer_for(site.sources[0], site)
    tally, batches = Tally(), []
    for item in importer.items():
        for batch in importer.read(item, tally, lambda amount: None):
            index = np.array([hash(batch.series[number]) for number in batch.index], np.int64)
            batches.append((index.tobytes(), batch.ts.tobytes(), (batch.value + 0.0).tobytes()))
    return batches, vars(tally)


def export(path: Path, rows: list[tuple]) -> None:
    lines = [",".join((ts, asset, quality, *cells)) for ts, asset, quality, cells in rows]
    path.write_text("\n".join(["ts,asset,q,flow,FT-2,pressure,motor current", *lines, ""]), encoding="utf-8")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(csv_importer, "BLOCK_BYTES", 256)
    monkeypatch.setattr(csv_importer, "HEAD_BYTES", 64)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=25),
    parts=PARTS,
    word=st.sampled_from([None, None, None, *WORDS]),
    ragged=st.sampled_from([None] * 5 + ["2026-01-13T12:00:00,p1,Good,1", "2026-01-13T12:00:00,a,b,1,2,3,4,5"]),
)
def test_every_block_gives_the_same(tmp_path, small_blocks, rows, parts, word, ragged):
    if word is not None:
        rows = [*rows, (STAMPS[0], "p1", "Good", ["1", "", word, "3"]), *rows]
    path = tmp_path / "pump.csv"
    export(path, rows)
    if ragged is not None:
        path.write_text(path.read_text(encoding="utf-8") + ragged + "\n", encoding="utf-8")
    readings = {"shape": "wide", "asset": {"const": "p1"}, "ts": {"path": "ts"}, **parts}
    fast = imported(path, readings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_blocks, "PATIENCE", 0)
        assert fast == imported(path, readings)


SENSORS = ["flow", "FT-2", "pressure", "motor current"]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=25),
    parts=PARTS,
    words=st.lists(st.sampled_from(WORDS), max_size=2),
    other=st.sampled_from([None, None, None, "ghost", ""]),
    repeated=st.integers(1, 4),
)
def test_every_long_block_gives_the_same(tmp_path, small_blocks, rows, parts, words, other, repeated):
    lines = [
        ",".join((ts, asset, quality, sensor, cell))
        for ts, asset, quality, cells in rows * repeated
        for sensor, cell in zip(SENSORS, cells, strict=True)
    ]
    lines += [f"{STAMPS[0]},p1,Good,flow,{word}" for word in words]
    lines += [] if other is None else [f"{STAMPS[0]},p1,Good,{other},1"]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["ts,asset,q,sensor,v", *lines * 2, ""]), encoding="utf-8")
    readings = {"asset": {"path": "asset"}, "tag": {"path": "sensor"}, "ts": {"path": "ts"}, **parts}
    readings["value"] = {"path": "v", **parts.get("value", {})}
    fast = imported(path, readings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_blocks, "PATIENCE", 0)
        assert fast == imported(path, readings)


def test_numbers_are_parsed_once_and_words_are_learnt(tmp_path, small_blocks, monkeypatch):
    outcomes = []
    read = NumberBlocks.read

    def counted(self, block):
        outcomes.append(read(self, block))
        return outcomes[-1]

    monkeypatch.setattr(NumberBlocks, "read", counted)
    path = tmp_path / "pump.csv"
    row = (STAMPS[0], "p1", "Good", ["1.5", "x", "-2e3", ""])
    readings = {"shape": "wide", "asset": {"const": "p1"}, "ts": {"path": "ts"}, "ignore": ["FT-2"]}
    export(path, [row] * 40)
    imported(path, readings)
    assert outcomes
    assert None not in outcomes
    outcomes.clear()
    export(path, [(*row[:3], ["1.5", "x", "2", "Bad"])] * 40)
    imported(path, readings)
    assert [outcome is None for outcome in outcomes] == [True] + [False] * (len(outcomes) - 1)


def test_a_long_export_with_many_words_is_read_as_text_after_a_while(tmp_path, small_blocks, monkeypatch):
    outcomes = []
    read = NumberBlocks.read

    def counted(self, block):
        outcomes.append(read(self, block) is not None)
        return None if not outcomes[-1] else read(self, block)

    monkeypatch.setattr(NumberBlocks, "read", counted)
    path = tmp_path / "long.csv"
    readings = {"asset": {"const": "p1"}, "sensor": {"path": "sensor"}, "ts": {"path": "ts"}, "value": {"path": "v"}}
    for word, expected in (("2.5", {True}), ("Bad", {False})):
        outcomes.clear()
        path.write_text("ts,sensor,v\n" + f"{STAMPS[0]},flow,1\n{STAMPS[0]},flow,{word}\n" * 100, encoding="utf-8")
        imported(path, readings)
        assert len(outcomes) > number_blocks.PATIENCE
        assert set(outcomes) == expected
