"""Readings are compared with the last one of their sensor, however they are split into batches."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.last_readings import LastReadings

values = st.sampled_from([0.0, 1.0, 2.5, math.nan])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), values), max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_each_reading_is_compared_with_the_last_one_of_its_sensor(sent, cuts):
    known, expected, actual = LastReadings(3), [], []
    last: dict[int, tuple[int, float]] = {}
    for place, ts, value in sent:
        newest, before = last.get(place, (-1, math.nan))
        equal = value == before or (math.isnan(value) and math.isnan(before))
        both_good = not math.isnan(value) and not math.isnan(before)
        expected.append((ts == newest and equal, ts == newest and not equal and both_good))
        if ts >= newest:
            last[place] = ts, value
    bounds = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for begin, end in itertools.pairwise(bounds):
        place, ts, value = (np.array(column) for column in zip(*sent[begin:end], strict=True))
        actual += zip(*(mask.tolist() for mask in known.compared(place, ts, value)), strict=True)
        known.hear(place, ts, value)
    assert actual == expected


def test_the_last_readings_are_taken_over():
    known = LastReadings(4)
    known.restore(np.array([[0, 1], [2, 3]]), np.array([[5, 6], [7, 8]]), np.array([[0.5, math.nan], [0.7, 0.8]]))
    compared = known.compared(np.arange(4), np.array([5, 6, 7, 9]), np.array([0.5, math.nan, 0.8, 0.8]))
    assert compared.is_repeated.tolist() == [True, True, False, False]
    assert compared.is_conflicting.tolist() == [False, False, True, False]
