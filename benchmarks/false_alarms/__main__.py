"""False alarms of the defaults on simulated plants, beside what was forecast, and whether the demo's faults are found.

    python -m benchmarks.false_alarms [--seeds 10] [--type mewma] [--epochs N] [--budget "1 per 90d"]

A plant has eight pumps of two classes. It learns from `--days` of normal operation, then runs for `--live` days with
nothing wrong, then has one fault of each kind of the demo.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.common import report

    parser = argparse.ArgumentParser(
        prog="benchmarks.false_alarms", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="plants; default: 10")
    parser.add_argument("--days", type=float, default=30.0, help="days to learn from; default: 30")
    parser.add_argument("--live", type=float, default=15.0, help="later days with nothing wrong; default: 15")
    parser.add_argument("--type", default="mewma", help="detector type; default: mewma, which trains in seconds")
    parser.add_argument("--epochs", type=int, help="of a network; default: the type's")
    parser.add_argument("--budget", default="1 per 90d", help='default: "1 per 90d"')
    options = parser.parse_args()
    report.end_on_term()
    model: dict[str, Any] = {"type": options.type}
    if options.epochs is not None:
        model["epochs"] = options.epochs
    report.finish(
        "false_alarms", measure(range(1, options.seeds + 1), options.days, options.live, model, options.budget)
    )


def measure(seeds: Sequence[int], days: float, live: float, model: dict[str, Any], budget: str) -> dict[str, Any]:
    """The figures over all plants."""
    from benchmarks.detection import detector_runs
    from benchmarks.false_alarms.plants import plants
    from eugenie_cli.detection.metrics import event_metrics
    from eugenie_cli.detection.rate_interval import rate_interval

    counts: dict[str, list[float]] = {name: [] for name in FIGURES}
    delays: list[float] = []
    for seed in seeds:
        for plant in plants(seed, days, live, model, budget):
            built, runs = detector_runs.trained(plant)
            expected, decision = built.detector.calibration.forecast, built.detector.calibration.alarm
            judgements = [run.judgement for run in runs]
            found = event_metrics(
                [event for judgement in judgements for event in judgement.events],
                [alarm for judgement in judgements for alarm in judgement.raised],
            )
            quiet = np.concatenate([judgement.score[~judgement.labelled] for judgement in judgements])
            quiet = quiet[np.isfinite(quiet)]
            asset_days = live * len(runs)
            share = float(np.mean(quiet > 1))
            of_plant = {
                "false_alarms": found.false_alarms,
                "asset_days": asset_days,
                "faults": found.total,
                "faults_found": found.detected,
                "rows": len(quiet),
                "rows_above": int(np.count_nonzero(quiet > 1)),
                "forecasts": 1,
                "alarms_covered": _overlap(rate_interval(found.false_alarms, asset_days), expected.all.alarms),
                "rows_covered": expected.all.rows.low <= share <= expected.all.rows.high,
            }
            for name, value in of_plant.items():
                counts[name].append(float(value))
            delays += _delays(judgements)
            print(
                f"plant {seed}, {plant.name}: {found.false_alarms} false alarms in {asset_days:g} asset days, "
                f"{found.detected} of {found.total} faults, rows above 1 {share:.3%}; forecast "
                f"{expected.all.alarms.low:.3g} to {expected.all.alarms.high:.3g} a day, "
                f"{expected.all.rows.low:.3%} to {expected.all.rows.high:.3%}; delays {decision.delays}",
                file=sys.stderr,
                flush=True,
            )
    total = {name: sum(values) for name, values in counts.items()}
    return {
        "plants": len(seeds),
        "false_alarms_per_asset_day": total["false_alarms"] / total["asset_days"],
        "worst_class": max(
            alarms / days for alarms, days in zip(counts["false_alarms"], counts["asset_days"], strict=True)
        ),
        "asset_days": total["asset_days"],
        "faults": total["faults"],
        "faults_found": total["faults_found"],
        "delay_median_s": float(np.median(delays)) if delays else -1.0,
        "rows_above": total["rows_above"] / total["rows"],
        "forecasts": total["forecasts"],
        "alarms_covered": total["alarms_covered"],
        "rows_covered": total["rows_covered"],
    }


FIGURES = (
    "false_alarms", "asset_days", "faults", "faults_found", "rows", "rows_above", "forecasts", "alarms_covered",
    "rows_covered",
)  # fmt: skip


def _overlap(came: Any, expected: Any) -> bool:
    """Whether a forecast is compatible with what came, which chance alone may move within its own interval."""
    return came.low <= expected.high and expected.low <= came.high


def _delays(judgements: Sequence[Any]) -> list[float]:
    """Seconds from each found fault's start to its alarm."""
    from eugenie_cli.detection.metrics.events import first_alarm

    alarms = [(event, first_alarm(event, judgement.raised)) for judgement in judgements for event in judgement.events]
    return [max(0, alarm.detected - event.start) / 1000 for event, alarm in alarms if alarm is not None]


if __name__ == "__main__":
    main()
