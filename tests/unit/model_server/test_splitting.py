"""Splitting a request: the pieces are small, and their joined outputs equal those of the whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.model_server.splitting import cut, memory


def scored(inputs: Mapping[str, np.ndarray], window: int) -> dict[str, np.ndarray]:
    """Like a model: the sum [B, K] and the last row [B, K, S] of each window."""
    windows = np.lib.stride_tricks.sliding_window_view(inputs["rows"], window, axis=1)  # [B, K, S, M]
    of_asset = np.array([len(name) for name in inputs["asset"]], np.float64).reshape(-1, 1)
    return {"score": windows.sum(axis=(2, 3)) + of_asset, "expected": windows[..., -1]}


@settings(max_examples=80, deadline=None)
@given(
    items=st.integers(0, 9),
    windows=st.integers(1, 60),
    window=st.integers(1, 7),
    most=st.integers(1, 20),
    sensors=st.integers(1, 3),
)
def test_pieces_are_small_and_give_together_what_the_whole_gives(items, windows, window, most, sensors) -> None:
    rows = np.random.default_rng(0).integers(0, 100, (items, windows + window - 1, sensors)).astype(np.float64)
    inputs = {"asset": np.array([b"p" * number for number in range(items)], object), "rows": rows}
    divided = cut(inputs, windows, most, window)
    assert len(divided.pieces) == len(divided.windows)
    assert sum(divided.windows) == windows * max(1, items) and (max(divided.windows) <= most or not items)
    for piece, count in zip(divided.pieces, divided.windows, strict=True):
        assert len(piece["asset"]) == len(piece["rows"])
        assert items == 0 or len(piece["rows"]) * (piece["rows"].shape[1] - window + 1) == count
    if items == 0:
        return
    together, whole = divided.joined([scored(piece, window) for piece in divided.pieces]), scored(inputs, window)
    assert together.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(together[name], values)


def test_segments_whose_rows_may_not_be_cut_stay_whole() -> None:
    inputs = {"asset": np.array([b"p"] * 3, object), "rows": np.zeros((3, 99, 2))}
    assert [piece["rows"].shape for piece in cut(inputs, 90, 20, None).pieces] == [(1, 99, 2)] * 3


def test_memory_counts_the_texts_too() -> None:
    assert memory({"rows": np.zeros((2, 3), np.float32)}) == 24
    assert memory({"asset": np.array([b"x" * 1_000, b""], object)}) >= 1_000
