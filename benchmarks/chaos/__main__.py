"""The full matrix of faults and twenty random kills, each compared with an undisturbed run.

The cases are those of `tests/integration/test_stream_faults.py`, on their own engines; they take 20 to 30 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.common import report

CASES = Path(__file__).parents[2] / "tests" / "integration" / "test_stream_faults.py"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the plant's data and the random kills (default: 1)"
    )
    parser.add_argument("--away", type=float, default=30.0, help="seconds without the model server (default: 30)")
    parser.add_argument("--only", default="", help="expression that selects cases by name, as for pytest's -k")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eugenie-chaos-") as folder:
        figures = Path(folder) / "figures.jsonl"
        environment = {
            **os.environ,
            "EUGENIE_CHAOS": "full",
            "EUGENIE_CHAOS_SEED": str(options.seed),
            "EUGENIE_CHAOS_AWAY": str(options.away),
            "EUGENIE_CHAOS_FIGURES": str(figures),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES), "-k", options.only]
        done = subprocess.run(command, env=environment, cwd=folder, stdout=sys.stderr, check=False)
        lines = figures.read_text(encoding="utf-8").splitlines() if figures.exists() else []
    report.finish("chaos", summary([json.loads(line) for line in lines]))
    sys.exit(done.returncode)


def summary(cases: list[dict]) -> dict:
    """Figures of the cases that passed; a failed one ends the benchmark with pytest's exit code."""
    revived: Counter[str] = Counter()
    seconds: dict[str, list[float]] = {}
    for case in cases:
        revived.update(case["revived"])
        for fault, taken in case["seconds"]:
            seconds.setdefault(fault, []).append(taken)
    return {
        "cases": len(cases),
        "faults": sum(case["faults"] for case in cases),
        "messages": sum(case["messages"] for case in cases),
        "scores_compared": sum(case["scores"] for case in cases),
        "anomalies_compared": sum(case["anomalies"] for case in cases),
        "started_again": dict(revived),
        "recovery_s_longest": {fault: max(taken) for fault, taken in sorted(seconds.items())},
    }


if __name__ == "__main__":
    main()
