"""The graph of a forecaster's statistics, by the kind of its memory."""

from __future__ import annotations

from collections.abc import Sequence

from eugenie_cli.detection import network
from eugenie_cli.detection.window_statistics import Statistics, TrainedForecaster


def statistics_of(forecaster: TrainedForecaster, scored: Sequence[int]) -> Statistics:
    """The statistics of a forecaster's windows. `scored`: numbers of the scored sensors."""
    if network.kind_of(forecaster.network) == network.MIN_LSTM:
        from eugenie_cli.detection.row_statistics import RowStatistics

        return RowStatistics(forecaster, scored)
    from eugenie_cli.detection.lstm_statistics import LstmStatistics

    return LstmStatistics(forecaster, scored)
