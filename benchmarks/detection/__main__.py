"""Detection quality: six public data sets, three of them by their published protocols, three seeds, every baseline.

    python -m benchmarks.detection [--only skab|tep|asd|batadal|smd|hvac] [--seeds 0 1 2] [--type auto|lstm|minlstm]

Rewrites the tables of the measured data sets in docs/detection.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
AUTO = "auto"
"""The product's default type."""
TRIVIAL = ("all-positive", "random")


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.common import report
    from benchmarks.detection import asd, batadal, hvac, skab, smd, tep
    from benchmarks.detection.table import write

    protocols = {module.NAME: module for module in (skab, tep, asd, batadal, smd, hvac)}
    parser = argparse.ArgumentParser(
        prog="benchmarks.detection", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=protocols, action="append", help="one data set; repeatable")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--type", default=AUTO, help="the model's type, a forecaster; the page has the default's")
    parser.add_argument("--keep", type=Path, help="a JSON file of results; seeds in it are not measured again")
    options = parser.parse_args()
    report.end_on_term()
    data = ROOT / os.environ.get("EUGENIE_DATA", "../shared/data")
    figures: dict[str, Any] = {}
    for name in options.only or protocols:
        if not (data / name).is_dir():
            print(f"{name}: skipped, {data / name} does not exist: set EUGENIE_DATA", file=sys.stderr)
            continue
        figures[name] = measure(protocols[name], data, options.type, options.seeds, options.keep)
        if len(options.seeds) > 1 and options.type == AUTO:
            write(ROOT / "docs" / "detection.md", name, figures[name])
    report.finish("detection", figures)


def measure(protocol: ModuleType, data: Path, kind: str, seeds: Sequence[int], keep: Path | None) -> dict[str, Any]:
    """The model's figures, means over the seeds and `<figure>_spread`, and the baselines'. `keep`: file from which an
    interrupted run resumes."""
    from benchmarks.detection import detector_runs

    kept = json.loads(keep.read_text(encoding="utf-8")) if keep is not None and keep.exists() else {}
    results = []
    for seed in seeds:
        key = f"{protocol.NAME}, {kind}, seed {seed}"
        if key not in kept:
            plant = protocol.load(data, {"type": kind, "seed": seed})
            scored, training = detector_runs.model(plant)
            kept[key] = {**protocol.figures(plant, scored), **training}
            if keep is not None:
                keep.write_text(json.dumps(kept), encoding="utf-8")
        results.append(kept[key])
        print(f"{key}: {in_words(results[-1])}", file=sys.stderr, flush=True)
    baselines, plant = {}, protocol.load(data, {})
    for name, scored in detector_runs.baselines(plant):
        baselines[name] = dict(protocol.figures(plant, scored))
        print(f"{protocol.NAME}, {name}: {in_words(baselines[name])}", file=sys.stderr)
    figures: dict[str, Any] = {}
    for name in results[0]:
        values = [result[name] for result in results if name in result]
        figures[name] = sum(values) / len(values)
        figures[f"{name}_spread"] = max(values) - min(values)
    if "average_precision" in figures:
        figures["ap_ratio_to_pca_q"] = figures["average_precision"] / baselines["pca-q"]["average_precision"]
    for name in ("f1", "vus_pr"):
        judging = {kind: found[name] for kind, found in baselines.items() if kind not in TRIVIAL}
        figures[f"best_baseline_{name}"] = max(judging.values())
    return {**figures, "seeds": len(seeds), "baselines": baselines}


def in_words(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())


if __name__ == "__main__":
    main()
