"""Pages of time: whatever a server does at the edges of its answers, every value is read once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("asyncua", reason="needs the extra opcua")

from eugenie_cli.sources.failures import TooMuchError
from eugenie_cli.sources.opcua.decode import EMPTY, NodeHistory, Values
from eugenie_cli.sources.opcua.pages import Pages
from eugenie_cli.sources.opcua.ticks import MS, to_ticks
from eugenie_cli.sources.windows.reader import Span

START = 1_767_225_600_000
SPAN = Span(START, START + 1_000)


def values(rows):
    """Of (tick, value, status)."""
    ticks, value, status = ([row[at] for row in rows] for at in range(3))
    return Values(
        np.array(value, float),
        np.array(status, np.uint32),
        np.array(ticks, np.int64),
        np.zeros(len(rows), np.int64),
        {},
        EMPTY.handle,
    )


def answer(rows, start, end, asked, *, cap, points, start_excluded, end_included, loses, at=None):
    """What a server with these habits answers. `at`: where a continuation point says to go on."""
    found = [row for row in rows if (row[0] > start if start_excluded else row[0] >= start)]
    found = [row for row in found if (row[0] <= end if end_included else row[0] < end)]
    first = 0 if at is None else int(at) + (1 if loses else 0)
    most = min(asked, cap)
    point = str(first + most).encode() if points and len(found) > first + most else None
    return NodeHistory(0, values(found[first : first + most]), point)


HABITS = st.fixed_dictionaries(
    {
        "cap": st.sampled_from([100, 150, 10**6]),
        "points": st.booleans(),
        "start_excluded": st.booleans(),
        "end_included": st.booleans(),
        "loses": st.just(False),
    }
)


@pytest.mark.slow
@given(
    steps=st.lists(st.sampled_from([1, 3, 5_000, MS, 3 * MS, 20 * MS]), max_size=600),
    seed=st.integers(0, 3),
    habits=HABITS,
    asked=st.sampled_from([100, 170, 10_000]),
)
def test_every_value_is_read_once(steps, seed, habits, asked):
    ticks = to_ticks(START) - 40 * MS + np.cumsum([*steps, 0])[:-1]
    rows = [
        (int(tick), float(number % (2 + seed)), 0x8000_0000 * (number % 7 == 0)) for number, tick in enumerate(ticks)
    ]
    expected = [row for row in rows if to_ticks(SPAN.start_ms) <= row[0] < to_ticks(SPAN.end_ms)]
    pages, read, began = Pages(SPAN), [], 0
    for _ in range(2_000):
        if pages.complete:
            break
        # a point continues the query for which it was given
        began = pages.start if pages.continuation is None else began
        page = answer(rows, began, pages.end, asked, **habits, at=pages.continuation)
        try:
            new = pages.take(page, asked)
        except TooMuchError:  # more values in 2 ms than in a page
            assert densest(expected) >= min(asked, habits["cap"]) and not habits["points"]
            return
        read += zip(new.source.tolist(), new.value.tolist(), new.status.tolist(), strict=True)
    assert pages.complete
    if densest(expected) < min(asked, habits["cap"]) or habits["points"]:
        assert read == expected


def densest(rows):
    """The most values within 3 ms."""
    ticks = np.array([row[0] for row in rows], np.int64)
    return max((int(np.searchsorted(ticks, tick + 3 * MS) - at) for at, tick in enumerate(ticks)), default=0)


def test_a_value_that_the_continuation_point_loses_is_read():
    rows = [(to_ticks(START) + number * MS, float(number), 0) for number in range(500)]
    habits = {"cap": 200, "points": True, "start_excluded": False, "end_included": True, "loses": True}
    pages, read = Pages(SPAN), 0
    while not pages.complete:
        read += len(pages.take(answer(rows, pages.start, pages.end, 10_000, **habits), 10_000))
    assert read == 500


@pytest.mark.slow
@pytest.mark.parametrize("cap", [100, 199, 200, 700, 5_000])
@pytest.mark.parametrize("loses", [False, True])
def test_a_millisecond_with_more_values_than_a_page_is_continued_once(cap, loses):
    """Also the last one, after which the server has nothing new."""
    first = to_ticks(START)
    rows = [(first + number // 700 * MS + number % 3, float(number), 0) for number in range(2_100)]
    rows.sort(key=lambda row: row[0])
    habits = {"cap": cap, "points": True, "start_excluded": False, "end_included": True, "loses": loses}
    pages, read, began = Pages(SPAN), [], 0
    for _ in range(200):
        if pages.complete:
            break
        began = pages.start if pages.continuation is None else began
        page = answer(rows, began, pages.end, min(cap, 3_000), **habits, at=pages.continuation)
        read += pages.take(page, min(cap, 3_000)).value.tolist()
    assert pages.complete
    assert len(read) == len(set(read))
    assert loses or sorted(read) == [float(number) for number in range(2_100)]


@pytest.mark.parametrize("code", [0x80D7_0000, 0x809B_0000, 0x00A5_0000, 0x80D7_0400])
def test_a_bound_is_never_a_value(code):
    first, last = to_ticks(SPAN.start_ms), to_ticks(SPAN.end_ms)
    page = NodeHistory(0, values([(first, 0.0, code), (first + MS, 1.0, 0), (last - 1, 0.0, code)]), None)
    assert Pages(SPAN).take(page, 100).value.tolist() == [1.0]


def test_values_out_of_order_are_sorted_if_they_are_all_there_and_asked_for_in_shorter_spans_otherwise():
    first = to_ticks(START)
    page = NodeHistory(0, values([(first + MS, 1.0, 0), (first, 0.0, 0)]), None)
    assert Pages(SPAN).take(page, 100).value.tolist() == [0.0, 1.0]
    with pytest.raises(TooMuchError, match="order"):
        Pages(SPAN).take(NodeHistory(0, page.values, b"more"), 100)


def test_values_without_an_instant_are_counted():
    pages = Pages(SPAN)
    new = pages.take(NodeHistory(0, values([(0, 1.0, 0), (to_ticks(START), 2.0, 0)]), None), 100)
    assert (new.value.tolist(), pages.no_instant) == ([2.0], 1)
