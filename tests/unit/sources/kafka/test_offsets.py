"""Offsets of a topic: whatever retention removes between imports, what was there is imported once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.sources.kafka import offsets
from eugenie_cli.sources.kafka.offsets import MOST, Offsets, lost, new_offsets

TOPICS = st.tuples(st.sampled_from(["a", "plant.readings", "x-1_2"]), st.sampled_from(["", "Xq-3_x", "AAAA"]))


@given(TOPICS, st.integers(0, 9), st.integers(0, 10**12), st.integers(0, 10**6))
def test_a_key_is_its_offsets(topic, partition, first, count):
    one = Offsets(*topic, partition, first, first + count)
    assert Offsets.of(one.key) == one


@pytest.mark.parametrize(
    "key", ["", "a", "exports/a.csv", "a/0@1", "a/0@1-", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"]
)
def test_another_key_is_not(key):
    assert Offsets.of(key) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=8))
def test_each_offset_that_was_there_is_imported_once(growth):
    """`growth`: at each import, how many offsets were added, and how many of the oldest removed."""
    most, offsets.MOST = offsets.MOST, 7
    try:
        held, first, end, seen = [], 0, 0, set()
        for added, removed in growth:
            end += added
            first = min(end, first + removed)
            pieces = new_offsets(held, "t", "id", {0: (first, end), 1: (0, 0)})
            covered = [offset for piece in pieces for offset in range(piece.first, piece.end)]
            assert covered == [offset for offset in range(first, end) if offset not in seen]
            assert all(piece.end - piece.first <= 7 for piece in pieces)
            if pieces and held:
                assert lost(held, pieces[0]) == pieces[0].first - max(piece.end for piece in held)
            seen.update(covered)
            held += pieces
    finally:
        offsets.MOST = most


@pytest.mark.parametrize(("begin", "missing"), [(0, 0), (500, 0), (700, 200)])
def test_only_what_the_retention_removed_is_lost(begin, missing):
    """The pieces of one import follow each other, however many they are."""
    held = [Offsets("t", "x", 0, 0, 500), Offsets("t", "x", 1, 0, 10)]
    new = new_offsets(held, "t", "x", {0: (begin, 3 * MOST)})
    assert len(new) == 3
    assert [lost([*held, *new], piece) for piece in new] == [missing, 0, 0]


def test_a_topic_that_was_made_anew_begins_anew():
    held = [Offsets("t", "old", 0, 0, 500)]
    assert new_offsets(held, "t", "new", {0: (0, 20)}) == [Offsets("t", "new", 0, 0, 20)]
    assert new_offsets(held, "t", "old", {0: (0, 520)}) == [Offsets("t", "old", 0, 500, 520)]
    assert lost(held, Offsets("t", "new", 0, 0, 20)) == 0
