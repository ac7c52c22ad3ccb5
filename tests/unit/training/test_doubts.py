"""What the narrative of a training says about the rows behind its thresholds."""

from __future__ import annotations

from eugenie_cli.detection.detector import AssetCalibration
from eugenie_cli.training.train import FEW_ROWS, MOVED, NAMED, _doubts


def asset(name: str, rows: int = 5000, moved: float = 0.1, pooled: bool = False) -> AssetCalibration:
    return AssetCalibration(name, rows, pooled, 2.0, 0.001, 20_000, moved, "flow")


def test_enough_rows_that_stay_where_they_were_need_no_words() -> None:
    assert list(_doubts([asset("a"), asset("b", rows=FEW_ROWS), asset("c", moved=MOVED)])) == []


def test_few_rows_are_told_with_their_number() -> None:
    (words,) = _doubts([asset("a", rows=105), asset("b", rows=110), asset("c"), asset("d", rows=4, pooled=True)])
    assert "2 of 4 assets rest on 105 to 110 calibration rows" in words


def test_drift_names_the_sensors_that_moved_most_first() -> None:
    many = [asset(f"p-{number}", moved=MOVED + number) for number in range(1, NAMED + 3)]
    (words,) = _doubts(many)
    assert words.startswith(
        f"drift between the rows learnt from and the later ones that calibrate: p-{NAMED + 2} (flow by"
    )
    assert words.endswith("and 2 more")
