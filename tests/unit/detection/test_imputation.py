"""Absent entries take their conditional mean: in numpy, in the graph, and in little memory."""

from __future__ import annotations

import resource
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from eugenie_cli.detection import covariance, graph_ops

WIDE = 200
MIB = 1 << 20


def precisions(entries: int, assets: int = 3) -> np.ndarray:
    """Well-conditioned precision matrices, float32 [assets, P, P]."""
    random = np.random.default_rng(entries)
    samples = random.normal(size=(assets, 3 * entries, entries)) @ random.normal(size=(entries, entries))
    scaled = samples / samples.std(axis=1, keepdims=True)
    correlation = np.einsum("anp,anq->apq", scaled, scaled) / (3 * entries) + 0.1 * np.eye(entries)
    return np.linalg.inv(correlation).astype(np.float32)


def one_by_one(centred: np.ndarray, present: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The conditional mean of each row's absent entries, from the covariance instead of the precision."""
    covariance_matrix, filled = np.linalg.inv(precision.astype(np.float64)), centred.astype(np.float64)
    for row, known in zip(filled, present, strict=True):
        if known.any():
            inner = covariance_matrix[np.ix_(known, known)]
            row[~known] = covariance_matrix[np.ix_(~known, known)] @ np.linalg.solve(inner, row[known])
    return filled


PATTERNS = {
    "complete": lambda present, random: None,
    "a sensor": lambda present, random: present[..., 1].fill(False),
    "half of them": lambda present, random: present[..., ::2].fill(False),
    "here and there": lambda present, random: np.copyto(present, random.random(present.shape) > 0.2),
    "whole rows": lambda present, random: present[:, ::2].fill(False),
    "all but one": lambda present, random: present[:, ::3, 1:].fill(False),
}


@pytest.mark.parametrize("chunk", [1, 100, graph_ops.CHUNK_CELLS], ids=["row by row", "a few rows", "at once"])
@pytest.mark.parametrize("entries", [1, 3, graph_ops.FEW_ENTRIES + 4])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_graph_and_numpy_give_the_conditional_mean(
    pattern: str, entries: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_ops, "CHUNK_CELLS", chunk)
    random, precision = np.random.default_rng(1), precisions(entries)
    asset, present = np.array([2, 0, 1, 2], np.int32), np.ones((4, 9, entries), bool)
    PATTERNS[pattern](present, random) if entries > 1 else None
    centred = np.where(present, random.normal(size=present.shape), 0.0).astype(np.float32)
    right = np.stack([one_by_one(centred[b], present[b], precision[asset[b]]) for b in range(4)])
    in_numpy = [covariance.impute(centred[b].astype(float), present[b], precision[asset[b]]) for b in range(4)]
    in_graph = tf.function(graph_ops.impute)(*map(tf.constant, (centred, present, asset, precision))).numpy()
    np.testing.assert_allclose(in_numpy, right, atol=1e-5)
    np.testing.assert_allclose(in_graph, right, atol=2e-5)


@pytest.mark.parametrize("pattern", ["a sensor", "half of them", "here and there"])
def test_many_rows_of_many_sensors_take_little_memory(pattern: str) -> None:
    """A system of all sensors for each of these rows would take 320 MB."""
    random, precision = np.random.default_rng(2), precisions(WIDE, assets=1)
    present = np.ones((1, 2000 if pattern == "a sensor" else 300, WIDE), bool)
    PATTERNS[pattern](present, random)
    centred = np.where(present, random.normal(size=present.shape), 0.0).astype(np.float32)
    impute = tf.function(graph_ops.impute)
    impute(*map(tf.constant, (centred[:, :1], present[:, :1], [0], precision)))  # what the first call takes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    impute(*map(tf.constant, (centred, present, [0], precision)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024
    tracemalloc.start()
    covariance.impute(centred[0], present[0], precision[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * MIB
