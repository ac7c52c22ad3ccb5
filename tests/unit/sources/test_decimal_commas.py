"""Unquoted decimal commas in comma-separated files whose rows fit the header: every value is in the wrong column."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from support.looked import looked, questions

from eugenie_cli.readings.reject_reasons import MISSING_FIELD
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import Tally, importer_for

ROWS = 400
WIDE = {"shape": "wide", "asset": {"const": "p1"}, "ts": {"path": "time", "timezone": "UTC"}}
LONG = {"asset": {"const": "p1"}, "sensor": {"path": "tag"}, "ts": {"path": "time", "timezone": "UTC"}}


def times(count: int, tail: str = "") -> list[str]:
    return [f"2026-01-13 05:{second // 60:02d}:{second % 60:02d}{tail}" for second in range(count)]


def walk(seed: int, step: float, start: float = 20.0, rows: int = ROWS) -> np.ndarray:
    return start + np.cumsum(np.random.default_rng(seed).normal(0, step, rows))


def comma(values, form: str) -> list[str]:
    return [(form % value).replace(".", ",") for value in values]


def table(header: str, *columns) -> str:
    return f"{header}\n" + "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def wide(names: str, first, *more) -> str:
    """A table with an instant in each row."""
    return table(f"time,{names}", times(len(first)), first, *more)


def read(folder: Path, text: str, mapping: dict, sensors: str = "A B C D", **source) -> tuple[int, Tally]:
    """(number of readings, tally) of a file, of an asset p1 with these sensors."""
    (folder / "a.csv").write_text(text)
    site = Site.model_validate(
        {
            "site": "plant",
            "sources": [{"name": "s", "type": "csv", "path": "a.csv", "readings": mapping, **source}],
            "classes": {"c": {"sensors": [{"name": name} for name in sensors.split()], "step": "1s", "max_gap": "5s"}},
            "assets": {"p1": {"class": "c"}},
        }
    ).model_copy(update={"base": folder})
    importer, tally = importer_for(site.sources[0], site), Tally()
    return sum(
        len(batch.ts) for item in importer.items() for batch in importer.read(item, tally, lambda _: None)
    ), tally


NOISE = np.random.default_rng(3).random(ROWS)
WRONG = {
    "two decimals": wide("A,B,C,D", comma(walk(1, 0.1), "%.2f"), comma(walk(2, 3.0), "%.2f")),
    "two decimals, noise": wide("A,B", comma(20 + 9 * NOISE, "%.2f")),
    "four rows": wide("A,B", ["1,05", "1,5", "1,25", "1,4"]),
    "a constant": wide("A,B", ["5,00"] * 9),
    "as short as they are": wide("A,B", [t for t in comma(walk(4, 0.3), "%.3g") if "," in t]),
    "around zero": wide("A,B", comma(walk(5, 0.1, 0.0), "%.2f")),
    "one decimal, smooth": wide("A,B", comma(walk(6, 0.2), "%.1f")),
    "one decimal, all values": wide("A,B,C,D", comma(walk(7, 9.0), "%.1f"), comma(walk(8, 9.0), "%.1f")),
    "only the digits are read": wide("no,A", comma(walk(9, 0.1), "%.2f")),
    "units with commas in the header": wide("A, m3/h,B, bar", ["1,5", "1,6", "1,7"], ["2,5"] * 3),
    "an open bracket in the header": wide("A (l, mean),B", ["1,5"] * 5, [2] * 5),
    "columns without a name": wide("A,,B,", ["1,5", "1,6", "1,7"] * 3, ["2,5"] * 9),
    "one column without a name": wide("A,", ["1,5", "1,6", "1,7"] * 3),
    "fractions of a second": table("time,A,B", times(9, ",000"), range(9)),
    "fractions of a second since 1970": table("time,A", [f"{1768280400 + n},{n * 50:03d}" for n in range(20)]),
}  # fmt: skip
"""What rows show -> a file."""


@pytest.mark.parametrize("name", WRONG)
def test_no_value_of_such_a_file_is_read(tmp_path, name):
    unit = {"ts": {"path": "time", "unit": "s"}} if "since 1970" in name else {}
    own = {"columns": {"value": "{tag} (l"}} if "bracket" in name else {}
    got, tally = read(tmp_path, WRONG[name], {**WIDE, **unit, **own})
    assert (got, tally.rejected.keys()) == (0, {MISSING_FIELD})
    example = tally.examples[MISSING_FIELD][0]
    assert example.startswith("a.csv:2: ") and "looks like one number with a decimal comma" in example


@pytest.mark.parametrize("name", WRONG)
def test_what_the_site_file_says_is_believed(tmp_path, name):
    unit = {"ts": {"path": "time", "unit": "s"}} if "since 1970" in name else {}
    own = {"columns": {"value": "{tag} (l"}} if "bracket" in name else {}
    got, tally = read(tmp_path, WRONG[name], {**WIDE, **unit, **own, "value": {"decimal": "."}})
    assert got > 0 and not tally.rejected


def test_a_long_table_of_several_series(tmp_path):
    series = [comma(walk(seed, 0.2, 10.0 * seed), "%.1f") for seed in (1, 2, 3)]
    values = list(itertools.chain(*zip(*series, strict=True)))
    text = table("time,tag,v,quality", times(3 * ROWS), ["A", "B", "C"] * ROWS, values)
    got, tally = read(tmp_path, text, {**LONG, "value": {"path": "v"}})
    assert (got, tally.rejected) == (0, {MISSING_FIELD: 3 * ROWS})


def test_what_only_a_later_block_shows(tmp_path, monkeypatch):
    monkeypatch.setattr("eugenie_cli.sources.csv.importer.BLOCK_BYTES", 4_000)
    monkeypatch.setattr("eugenie_cli.sources.csv.importer.HEAD_BYTES", 4_000)
    values = comma(np.r_[np.full(300, 5.5), walk(1, 0.1, rows=300)], "%.2g") + comma(walk(2, 0.1), "%.2f")
    values = [text if "," in text else f"{text},5" for text in values]
    got, tally = read(tmp_path, table("time,A,B", times(len(values)), values), WIDE)
    assert got < 1_400 and tally.rejected[MISSING_FIELD] >= ROWS - 150


RANDOM = np.random.default_rng(10)
MINUTES = np.arange(ROWS) * 7
PERCENT = (50 + 20 * np.sin(np.arange(ROWS) / 9)).astype(int)


def walks_of_integers():
    return (walk(seed, 2, 90).round().astype(int) for seed in range(4))


RIGHT = {
    "integers": wide("A,B,C,D", *RANDOM.integers(0, 100, (4, ROWS))),
    "integers of few digits": wide("A,B", RANDOM.integers(0, 999, ROWS), RANDOM.integers(0, 10, ROWS)),
    "walks of integers": wide("A,B,C,D", *walks_of_integers()),
    "parts of a hundred": wide("A,B", PERCENT, 100 - PERCENT),
    "hours and minutes": wide("A,B", MINUTES // 60, MINUTES % 60),
    "a counter": wide("A,B", range(ROWS), RANDOM.integers(10, 99, ROWS)),
    "a measurement beside a count of rows": wide("A,B", range(ROWS), range(100, 100 + ROWS)),
    "states": wide("A,B,C,D", *(RANDOM.integers(0, most, ROWS) for most in (500, 2, 900, 4))),
    "padded states": wide("A,B", [5, 6, 7], ["01", "02", "01"]),
    "padded numbers": wide("A,B", *([f"{n:04d}" for n in RANDOM.integers(0, 2000, ROWS)] for _ in "AB")),
    "numbers of batches": wide("A,batch", PERCENT, [f"{800 + n:04d}" for n in range(ROWS)]),
    "a flag without a name": wide("A,,B,", RANDOM.integers(0, 99, 9), [0, 192, 192] * 3, range(9), [192] * 9),
    "units as names": wide("V,A,W", [230] * 9, range(9), range(100, 109)),
    "quoted": wide("A,B", ['"1"'] * 9, ['"05"', '"15"', '"25"'] * 3),
    "points": wide("A,B", range(9), ["0.5", "05.25", "7.5"] * 3),
    "one negative number": wide("A,B", range(9), ["05", "15", "-25"] * 3),
    "zeros at the end": wide("A,B", range(4), ["05", "15", "250", "3"]),
    "an empty cell": wide("A,B", range(9), ["05", "15", ""] * 3),
}  # fmt: skip
"""Two numbers of their own -> a file."""


@pytest.mark.parametrize("name", RIGHT)
def test_other_numbers_are_read(tmp_path, name):
    rows = RIGHT[name].count("\n") - 1
    got, tally = read(tmp_path, RIGHT[name], WIDE, "A B C D V W")
    assert not tally.rejected and got >= rows


@pytest.mark.parametrize("seed", range(40))
def test_random_integers_are_read(tmp_path, seed):
    random = np.random.default_rng(seed)
    columns = [
        walk(int(random.integers(99)), random.uniform(0.2, 20), random.uniform(0, 500)).round().astype(int)
        if random.random() < 0.6
        else random.integers(0, random.choice([2, 5, 10, 60, 100, 1_000]), ROWS)
        for _ in range(4)
    ]
    got, tally = read(tmp_path, table("time,A,B,C,D", times(ROWS), *columns), WIDE)
    assert (got, tally.rejected) == (4 * ROWS, {})


@pytest.mark.parametrize("name", [name for name in WRONG if name not in ("four rows", "only the digits are read")])
def test_a_look_at_such_a_file_says_so(tmp_path, name):
    found = looked(tmp_path, {"a.csv": WRONG[name]})
    said = " ".join([refusal.why + refusal.next for refusal in found.refused])
    said += " ".join(example for proposal in found.proposals for example in proposal.trial.examples)
    asked = questions(found)
    assert "decimal comma" in said + asked and ("decimal comma" in asked or not found.is_right)


def test_a_look_at_rows_without_a_header_says_so(tmp_path):
    found = looked(tmp_path, {"a.csv": WRONG["two decimals"].partition("\n")[2]})
    (proposal,) = found.proposals
    assert not found.is_right and "decimal comma" in proposal.trial.examples[0]


def test_a_look_asks_where_only_the_user_can_know(tmp_path):
    found = looked(tmp_path, {"a.csv": table("time,A,B,C,D", times(4), [1] * 4, [5, 6, 7, 5], [2] * 4, [5] * 4)})
    assert found.is_right and "decimal commas" in questions(found)
    found = looked(tmp_path, {"a.csv": table("time,A,B,C,D", times(4), [1] * 4, [5, 6, 7, 5], [2] * 4, [-5] * 4)})
    assert "decimal commas" not in questions(found)
