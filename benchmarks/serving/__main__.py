"""The exported graph compared with a plain Keras export, and the model server compared with the graph in this process.

Everything in a ratio is measured in turns, in one run. The server is a separate process; its callers share the cores
with it, as a stream job does. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.common import engines, model, report
from benchmarks.common.plant import Plant
from benchmarks.serving.graph import exported
from benchmarks.serving.many_models import many
from benchmarks.serving.server import served
from eugenie_cli.console import Console
from eugenie_cli.serving import local


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.serving", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each measurement")
    parser.add_argument("--models", type=int, default=50, help="models in one server, compared with one model")
    options = parser.parse_args()
    report.end_on_term()
    _threads_as_in_the_server()
    progress, folder = Console(), Path(tempfile.mkdtemp(prefix="eugenie-bench-"))
    plant = Plant(32)
    site = plant.site(folder)
    try:
        with report.failures_in_words(progress), engines.watched(site):
            detector = model.publish(site, plant, progress)
            figures = exported(site, plant, detector, options.seconds, progress)
            figures |= served(site, plant, options.seconds, progress)
            figures |= many(site, plant, options.models, options.seconds, progress)
    finally:
        local.stop(site, progress)
        shutil.rmtree(folder, ignore_errors=True)
    report.finish("serving", {**figures, "cores": len(os.sched_getaffinity(0))})


def _threads_as_in_the_server() -> None:
    """Must be called before anything runs a graph in this process: it cannot be changed afterwards."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    main()
