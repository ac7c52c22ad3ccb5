"""Training of three classes is killed ten times at random and run again: the same models, nothing duplicated.

It takes minutes, so it runs with EUGENIE_CHAOS=full; `test_fit` always tests that a fit resumes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.training import artifact, mlflow_store
from eugenie_cli.training.registry import Registry

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.environ.get("EUGENIE_CHAOS") != "full", reason="takes minutes: with EUGENIE_CHAOS=full"),
]

KILLS = 10
MOMENTS = (0.1, 0.6)
"""When a training run is killed, as a share of the duration of an undisturbed one. Some runs are too short for an
epoch; in long ones a class or two are trained."""
CLASSES = ("pump", "fan", "mill")
SITE = "site: chaos\nworkspace: work\nclasses:\n{classes}\nassets:\n{assets}\n"
MODEL = "{window: 32, warmup: 16, horizons: [1, 3], units: 8, epochs: 6}"
COMMAND = (str(Path(sys.executable).with_name("eugenie")), "train")


def plant(folder: Path) -> Site:
    folder.mkdir()
    classes = "\n".join(f"  {name}: {{sensors: [{{name: a}}, {{name: b}}], model: {MODEL}}}" for name in CLASSES)
    assets = "\n".join(f"  {name}-1: {{class: {name}}}" for name in CLASSES)
    (folder / "chaos.yaml").write_text(SITE.format(classes=classes, assets=assets), encoding="utf-8")
    site = load_site(folder / "chaos.yaml")
    rows = 3_000
    for seed, name in enumerate(CLASSES):
        chance = np.random.default_rng(seed)
        load = np.convolve(chance.normal(size=rows + 99), np.hanning(100) / 6, mode="valid")[:, None]
        values = 20 + load * [2.0, -1.0] + chance.normal(0, 0.3, (rows, 2))
        index, ts = np.tile(np.arange(2, dtype=np.int32), rows), np.repeat(np.arange(rows) * 1000, 2)
        series = [(f"{name}-1", "a"), (f"{name}-1", "b")]
        open_history(site).commit("logger", [Batch(series, index, ts, values.ravel())], key=name)
    return site


def start(site: Site, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--site", str(site.file), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def watched(running: subprocess.Popen[str], until: float | None) -> tuple[float, str]:
    """Seconds of a training run after its first class started, and its output. It is killed with all its jobs after
    `until` seconds, unless it has ended by then."""
    assert running.stdout is not None
    output = ""
    while "normal rows" not in output:
        output += running.stdout.readline()
        assert running.poll() is None, output
    began = time.monotonic()
    try:
        running.wait(timeout=until)
        assert running.returncode == 0
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    return time.monotonic() - began, output + running.stdout.read()


def weights(site: Site) -> dict[str, dict[str, np.ndarray]]:
    registry = Registry(site)
    return {
        name: dict(artifact.load(registry.download(registry.resolve(name, "champion"))).network) for name in CLASSES
    }


def test_killed_trainings_end_in_the_models_of_an_undisturbed_one(tmp_path: Path, tell) -> None:
    undisturbed, disturbed = plant(tmp_path / "undisturbed"), [plant(tmp_path / "disturbed-0")]
    whole, _ = watched(start(undisturbed), until=None)
    expected = weights(undisturbed)
    chance = random.Random(1)
    struck, outputs = 0, []
    while struck < KILLS:
        life = start(disturbed[-1], "--jobs", str(1 + struck % 2))
        outputs.append(watched(life, until=chance.uniform(*MOMENTS) * whole)[1])
        if life.returncode == -signal.SIGKILL:
            struck += 1
        else:  # everything was trained before the kill: continue with another plant
            disturbed.append(plant(tmp_path / f"disturbed-{len(disturbed)}"))
    for site in disturbed:
        outputs.append(watched(start(site, "--jobs", "2"), until=None)[1])
        judge(site, expected)
    tell(
        f"{struck} kills struck trainings of {whole:.0f} s, on {len(disturbed)} plants; "
        f"they went on from an epoch {''.join(outputs).count('interrupted training run after epoch')} times"
    )


def judge(site: Site, expected: dict[str, dict[str, np.ndarray]]) -> None:
    """Check that the models are the expected ones, and nothing is duplicated."""
    trained = weights(site)
    for name in CLASSES:
        for part, values in expected[name].items():
            np.testing.assert_array_equal(trained[name][part], values, err_msg=f"{name} {part}")
        assert [version.version for version in Registry(site).versions(name)] == [1]
    client = mlflow_store.client(site)
    runs = client.search_runs([mlflow_store.experiment(site, client)])
    of_classes = [run for run in runs if "eugenie.class" in run.data.tags]
    finished = [run.data.tags["eugenie.class"] for run in of_classes if run.info.status == "FINISHED"]
    assert sorted(finished) == sorted(CLASSES)
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
