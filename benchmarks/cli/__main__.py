"""`eugenie --help`: the median of ten new processes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import child_process, report
from eugenie_cli.console import Console


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.cli", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="number of timed processes (default: 10)")
    runs = parser.parse_args().runs
    eugenie = Path(sys.executable).with_name("eugenie")
    with report.failures_in_words(Console()):
        help_of(eugenie)  # the first one reads the program from disk and compiles it
        taken = [help_of(eugenie) for _ in range(runs)]
    print(f"{runs} runs, {min(taken):.3f} to {max(taken):.3f} s", file=sys.stderr)
    report.finish("cli", {"help_s": statistics.median(taken), "help_s_fastest": min(taken), "runs": runs})


def help_of(eugenie: Path) -> float:
    """Seconds from the start of `eugenie --help` to its end."""
    began = time.perf_counter()
    child_process.run("eugenie --help", [eugenie, "--help"], stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
