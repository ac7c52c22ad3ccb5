"""Texts that are repeated, in cycles or in runs, are read as if each were looked at."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.columns import distinct as distinct_texts
from eugenie_cli.readings.columns import instants, text_blocks
from eugenie_cli.readings.columns.distinct import combined, distinct
from eugenie_cli.readings.columns.text_blocks import has_runs, run_starts

TEXTS = st.lists(st.sampled_from(["", "a", "b", "aa", "ab", "\u00e4", None]), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(cycle=TEXTS, count=st.integers(0, 40), rest=TEXTS, skipped=st.integers(0, 3), longest=st.integers(2, 20))
def test_distinct_texts_of_a_cycle(cycle, count, rest, skipped, longest):
    texts = [*cycle * count, *rest[:-1]]
    column = pa.array(texts, pa.string()).slice(min(skipped, len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct_texts, "LONGEST_CYCLE", longest)
        values, index = distinct(column)
    assert [values[n] for n in index.tolist()] == column.to_pylist()
    first_seen = list(dict.fromkeys(column.to_pylist()))
    assert values == ([None] if None in first_seen else []) + [text for text in first_seen if text is not None]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 3), max_size=20), st.sets(st.integers(0, 2)))
def test_combinations_that_occur(rows, same):
    columns = [distinct(pa.array(["x" if n in same else row[n] for row in rows], pa.string())) for n in range(3)]
    combinations, index = combined(columns)
    expected = [tuple("x" if n in same else row[n] for n in range(3)) for row in rows]
    assert [combinations[n] for n in index.tolist()] == expected
    assert set(combinations) == set(expected)
    assert combined([columns[0], (["const"], np.zeros(len(rows), np.int64)), columns[0]])[1].tolist() == [
        combined([columns[0], columns[0]])[1][n] for n in range(len(rows))
    ]


STAMPS = [
    "2026-01-13T12:00:00",
    "2026-01-13T12:00:01",
    "2026-10-25T02:30:00",
    "2026-13-01T00:00:00",
    "2026-01-13 12:00:0x",
    "2026-01-13T12:00",
]
RUNS = st.lists(st.tuples(st.sampled_from(STAMPS), st.integers(1, 300)), min_size=1, max_size=20)


@settings(max_examples=20, deadline=None)
@given(runs=RUNS, skipped=st.integers(0, 5))
def test_runs_of_timestamps(runs, skipped):
    texts = pa.array([text for text, count in runs for _ in range(count)]).slice(skipped)
    starts = run_starts(texts) if len(texts) and has_runs(texts) else None
    if starts is not None:
        given_texts = texts.to_pylist()
        assert starts.tolist() == [n for n, text in enumerate(given_texts) if not n or text != given_texts[n - 1]]
    reader = instants.Instants(timezone="Europe/Berlin")
    ts, read = reader.of_texts(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instants, "has_runs", lambda _: False)
        plain_ts, plain_read = reader.of_texts(texts)
    assert ts.tolist() == plain_ts.tolist()
    assert read.tolist() == plain_read.tolist()


def test_runs_are_looked_for_only_where_neighbours_are_equal():
    count = 4 * text_blocks.SAMPLE
    alike = [STAMPS[n // 100 % 2] for n in range(count)]
    assert has_runs(pa.array(alike))
    assert not has_runs(pa.array([f"2026-01-13T12:{n // 60 % 60:02}:{n % 60:02}" for n in range(count)]))
    assert not has_runs(pa.array([*alike, None]))
    assert not has_runs(pa.array(alike[:10]))
    assert run_starts(pa.array(alike)) is not None
    assert run_starts(pa.array([*alike, "short"])) is None
    assert run_starts(pa.array([""] * count)) is None
