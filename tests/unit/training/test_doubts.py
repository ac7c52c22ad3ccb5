"""The messages of a training run about the rows behind its thresholds."""

from __future__ import annotations

from eugenie_cli.detection.detector import AssetCalibration
from eugenie_cli.training.train import FEW_ROWS, MOVED, NAMED, _doubts


def asset(name: str, rows: int = 5000, moved: float = 0.1, pooled: bool = False) -> AssetCalibration:
    return AssetCalibration(name, rows, pooled, 2.0, 0.001, 20_000, moved, "flow")


def test_enough_rows_without_drift_give_no_message() -> None:
    assert list(_doubts([asset("a"), asset("b", rows=FEW_ROWS), asset("c", moved=MOVED)])) == []


def test_few_rows_are_reported_with_their_number() -> None:
    (message,) = _doubts([asset("a", rows=105), asset("b", rows=110), asset("c"), asset("d", rows=4, pooled=True)])
    assert "2 of 4 assets rest on 105 to 110 calibration rows" in message


def test_drift_names_the_sensors_that_moved_most_first() -> None:
    drifted = [asset(f"p-{number}", moved=MOVED + number) for number in range(1, NAMED + 3)]
    (message,) = _doubts(drifted)
    assert message.startswith(f"drift between the training rows and the later calibration rows: p-{NAMED + 2} (flow by")
    assert message.endswith("and 2 more")
