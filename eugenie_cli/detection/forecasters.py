"""The graph of a forecaster's statistics, by the kind of its memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.window_statistics import Statistics


def statistics_of(
    weights: Mapping[str, Floats], *, scored: Sequence[int], window: int, warmup: int, horizons: Sequence[int]
) -> Statistics:
    """The statistics of a network with these weights (`network.WEIGHTS`). `scored`: numbers of the scored sensors."""
    if network.kind_of(weights) == network.MIN_LSTM:
        from eugenie_cli.detection.row_statistics import RowStatistics

        return RowStatistics(weights, scored=scored, window=window, warmup=warmup, horizons=horizons)
    from eugenie_cli.detection.lstm_statistics import LstmStatistics

    return LstmStatistics(weights, scored=scored, window=window, warmup=warmup, horizons=horizons)
