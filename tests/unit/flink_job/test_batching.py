"""Small batches of one class and length share a call, a large one gets its own, and the order in a class is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.flink_job.batching import LARGE, joined
from eugenie_cli.flink_job.grid import Batch

WINDOW = 4


def batch(assets: str, steps: int = 1, class_name: str = "pump") -> Batch:
    rows = np.zeros((len(assets), WINDOW - 1 + steps, 2), np.float32)
    counts = np.ones((len(assets), steps), np.int32)
    return Batch(
        class_name,
        tuple(assets),
        np.full(len(assets), 1_000),
        1_000,
        rows,
        counts,
        counts * 0,
        np.zeros(len(assets), np.int64),
    )


def calls(*batches: Batch) -> list[tuple[str, int]]:
    """The assets and the number of steps of each call."""
    return [
        ("".join(asset for _, item in call for asset in item.assets), call[0][1].readings.shape[1])
        for call in joined(enumerate(batches))
    ]


def test_small_batches_of_a_class_share_a_call() -> None:
    batches = batch("ab"), batch("c"), batch("e", class_name="fan"), batch("fgh"), batch("i", class_name="fan")
    assert calls(*batches) == [("abcfgh", 1), ("ei", 1)]


def test_batches_of_different_lengths_do_not_share_a_call() -> None:
    assert calls(batch("a"), batch("b", steps=2), batch("c", steps=2), batch("d")) == [("a", 1), ("bc", 2), ("d", 1)]


def test_a_large_batch_gets_its_own_call_at_once() -> None:
    assert calls(batch("a", LARGE - 1), batch("b", LARGE - 1), batch("c", LARGE - 1)) == [("ab", 127), ("c", 127)]
    assert calls(batch("a", LARGE), batch("b", LARGE)) == [("a", LARGE), ("b", LARGE)]
    assert calls(batch("a"), batch("b" * LARGE), batch("c")) == [("a", 1), ("b" * LARGE, 1), ("c", 1)]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(["pump", "fan"]), st.integers(1, 90), st.sampled_from([1, 2, 200])), max_size=25)
)
def test_every_batch_is_in_exactly_one_call_and_in_order_within_its_class(drawn: list[tuple[str, int, int]]) -> None:
    work = [(shard, batch("x" * assets, steps, name)) for shard, (name, assets, steps) in enumerate(drawn)]
    grouped = list(joined(work))
    assert sorted(shard for call in grouped for shard, _ in call) == list(range(len(work)))
    for name in ("pump", "fan"):
        order = [shard for call in grouped for shard, item in call if item.class_name == name]
        assert order == sorted(order)
    for call in grouped:
        assert len({(item.class_name, item.rows.shape[1]) for _, item in call}) == 1
