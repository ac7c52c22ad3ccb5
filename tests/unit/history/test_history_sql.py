"""SQL over the history: the readings that `History.read` chooses, and access to nothing else."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.compaction import compact
from eugenie_cli.history.sql import query
from eugenie_cli.history.store import History
from eugenie_cli.main import app

pytestmark = pytest.mark.slow

NAN = float("nan")
T0 = 1_767_420_000_000  # 2026-01-03T06:00:00Z


def rows(history: History, statement: str) -> list[tuple]:
    with query(history, statement) as result:
        return list(result.rows)


def sample(root: Path) -> History:
    history = History(root)
    history.commit("a", [Batch.of([("p1", "flow", T0, 1.5), ("p1", "flow", T0 + 1_000, NAN)])], key="1")
    history.commit("a", [Batch.of([("p'2", "flow", T0 + 250, -2.0)])], key="2")
    return history


READINGS = st.lists(
    st.tuples(
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["flow", "level"]),
        st.integers(0, 5).map(lambda n: T0 + n * 1_000),
        st.sampled_from([NAN, -0.0, 0.0, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(READINGS, st.integers(0, 3)), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_the_table_contains_exactly_the_readings_of_the_history(exports, compacts, drops):
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for number, (readings, exported) in enumerate(exports):
            history.commit("s", [Batch.of(readings)], key=str(number), state={"exported": exported})
        if compacts:
            compact(history, "s")
        if drops:  # of a merged file, some readings no longer count
            history.drop("s", ["0"])
        expected = set()
        for asset in history.assets():
            chosen = history.read(asset)
            columns = (chosen.sensor.tolist(), chosen.ts.tolist(), chosen.value.tolist())
            for sensor, ts, value in zip(*columns, strict=True):
                bad = math.isnan(value)
                expected.add((asset, chosen.names[sensor], ts, None if bad else value, 0 if bad else 192))
        found = rows(history, "select asset, sensor, epoch_ms(ts), value, quality from readings")
        assert len(found) == len(expected)
        assert set(found) == expected


def test_values_are_as_json_has_them(tmp_path):
    history = sample(tmp_path)
    with query(history, "select ts, value, value, sum(quality) over () from readings order by ts") as result:
        assert result.columns[:3] == ("ts", "value", "value 2")
        assert list(result.rows) == [
            ("2026-01-03T06:00:00.000Z", 1.5, 1.5, 384),
            ("2026-01-03T06:00:00.250Z", -2.0, -2.0, 384),
            ("2026-01-03T06:00:01.000Z", None, None, 384),
        ]
    with query(
        history, "select 'nan'::double n, [1, 2] l, {'a': 1} s, 1.5::decimal(4, 2) d, '1 day'::interval i"
    ) as result:
        ((number, *others, _interval),) = result.rows
        assert number is None
        assert others == [[1, 2], {"a": 1}, 1.5]


def test_a_history_without_readings_is_an_empty_table(tmp_path):
    assert rows(History(tmp_path / "none"), "select * from readings") == []


def test_paths_with_characters_of_patterns_are_paths(tmp_path):
    history = sample(tmp_path / "a [b] it's *")
    assert rows(history, "select count(*) from readings") == [(3,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/*')",
        "select * from read_text('{root}/manifest.json')",
        "select * from read_parquet('{root}/parts/*/*.parquet')",
        "select * from read_parquet('http://127.0.0.1:9/x.parquet')",
        "select * from sqlite_scan('{root}/x.db', 't')",
    ],
)
def test_no_file_but_the_committed_parts_can_be_read(tmp_path, statement):
    history = sample(tmp_path)
    with pytest.raises(EugenieError):
        rows(history, statement.format(root=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "",
        "select 1; select 2",
        "drop view readings",
        "delete from readings",
        "copy (select 1) to '{part}'",
        "copy (select 1) to '{part}' (use_tmp_file false)",
        "explain analyze copy (select 1) to '{part}' (use_tmp_file false)",
        "install httpfs",
        "load httpfs",
        "attach '{root}/x.db'",
        "set enable_external_access = true",
        "select 1; set enable_external_access = true",
        "export database '{root}/x'",
        "call pragma_version()",
    ],
)
def test_only_one_select_is_run(tmp_path, statement):
    history = sample(tmp_path)
    part = next(tmp_path.glob("parts/a/*.parquet"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(EugenieError) as raised:
        rows(history, statement.format(root=tmp_path, part=part))
    assert raised.value.exit_code == ExitCode.USAGE
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_uncommitted_part_does_not_count(tmp_path):
    history = sample(tmp_path)
    part = next(tmp_path.glob("parts/a/*.parquet"))
    part.with_name("left-by-a-killed-import.parquet").write_bytes(part.read_bytes())
    assert rows(history, "select count(*) from readings") == [(3,)]


def test_a_missing_part_is_named(tmp_path):
    history = sample(tmp_path)
    part = next(tmp_path.glob("parts/a/*.parquet"))
    part.unlink()
    with pytest.raises(EugenieError) as raised:
        rows(history, "select * from readings")
    assert part.name in raised.value.reason
    assert "import --again" in raised.value.hint


def test_an_error_says_what_is_wrong_with_the_statement(tmp_path):
    with pytest.raises(EugenieError) as raised:
        rows(sample(tmp_path), "select valeu from readings")
    assert "valeu" in raised.value.reason
    assert 'Candidate bindings: "value"' in raised.value.reason
    with pytest.raises(EugenieError) as raised:  # found when the rows are read
        rows(sample(tmp_path), "select (asset || 'x')::double from readings")
    assert "p1x" in raised.value.reason or "p'2x" in raised.value.reason


@pytest.mark.slow
def test_parts_are_plain_parquet_for_anybody(tmp_path):
    sample(tmp_path)
    table = pq.read_table(next(tmp_path.glob("parts/a/*.parquet")))
    assert {field.name: str(field.type) for field in table.schema} == {
        "asset": "dictionary<values=string, indices=int32, ordered=0>",
        "sensor": "dictionary<values=string, indices=int32, ordered=0>",
        "ts": "timestamp[ms, tz=UTC]",
        "value": "double",
        "quality": "uint8",
    }
    script = (
        f'import duckdb; print(sorted(duckdb.sql("select asset, sensor, epoch_ms(ts), quality from '
        f"'{tmp_path}/parts/*/*.parquet'\").fetchall())[-1])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == str(("p1", "flow", T0 + 1_000, 0))


SITE = """
site: plant
sources:
  - {name: exports, type: csv, path: "exports/*.csv", readings: {shape: wide, asset: {file: "{stem}"}}}
classes: {pump: {sensors: [{name: flow}]}}
assets: {p1: {class: pump}}
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "plant.yaml").write_text(SITE)
    (tmp_path / "exports").mkdir()
    lines = [f"2026-01-03T06:{minute // 60:02d}:{minute % 60:02d}Z,{minute}" for minute in range(1_100)]
    (tmp_path / "exports" / "p1.csv").write_text("\n".join(["ts,flow", *lines, "2026-01-03T07:00:00Z,Bad"]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)
    assert CliRunner().invoke(app, ["import"]).exit_code == 0
    return tmp_path


@pytest.mark.slow
def test_the_command_prints_a_table_json_or_csv(plant):
    def run(*words: str):
        result = CliRunner().invoke(app, ["history", "sql", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    last = "select sensor, ts, value, 'a,\"b' as t from readings order by ts desc limit 2"
    expected = [("flow", "2026-01-03T07:00:00.000Z", None), ("flow", "2026-01-03T06:18:19.000Z", 1099.0)]
    assert json.loads(run(last, "-o", "json").stdout) == [
        {"sensor": sensor, "ts": ts, "value": value, "t": 'a,"b'} for sensor, ts, value in expected
    ]
    assert list(csv.reader(io.StringIO(run(last, "-o", "csv").stdout))) == [
        ["sensor", "ts", "value", "t"],
        *([sensor, ts, "" if value is None else str(value), 'a,"b'] for sensor, ts, value in expected),
    ]
    assert "2026-01-03T06:18:19.000Z" in run(last).stdout
    assert json.loads(run("select * from readings where false", "-o", "json").stdout) == []
    cut = run("select * from readings")
    assert len([line for line in cut.stdout.splitlines() if "flow" in line]) == 1_000
    assert "the first 1,000 rows" in cut.stderr
    assert len(run("select * from readings", "-o", "csv").stdout.splitlines()) == 1_102


def test_the_command_says_what_is_wrong(plant):
    result = CliRunner().invoke(app, ["history", "sql", "select x from readings"])
    assert isinstance(result.exception, (EugenieError, SystemExit))
    result = CliRunner().invoke(app, ["history", "sql", "drop view readings"])
    assert isinstance(result.exception, (EugenieError, SystemExit))
