"""`running:` with classical detectors, from history to evaluation: a stopped machine is not judged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.detection import reference
from eugenie_cli.evaluation.backtest import backtest
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.serving import export
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.load import load_site
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.train import train_class

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SITE = """
site: yard
workspace: work
classes:
  pump:
    sensors: [{{name: current, unit: A}}, {{name: flow, unit: m3/h}}, {{name: pressure, unit: bar}}]
    step: 1s
    max_gap: 1s
    running: {{sensor: current, above: 5}}
    model: {model}
    alarm: {{budget: 0.01, on_delay: 3, off_delay: 3}}
assets:
  p-1: {{class: pump, normal: [{{start: 1970-01-01T00:00:00Z, end: 1970-01-01T00:25:00Z}}]}}
  p-2: {{class: pump, normal: [{{start: 1970-01-01T00:00:00Z, end: 1970-01-01T00:25:00Z}}]}}
"""
ROWS, NORMAL = 2_400, 1_500
STOPS = (range(300, 420), range(900, 1_000), range(1_700, 1_850))
FAULT = range(2_100, 2_200)
NAMES = ("current", "flow", "pressure")


def rows_of(asset: str) -> np.ndarray:
    """float64 [ROWS, 3]: one load drives all sensors; while the pump is stopped, all are far from normal."""
    random = np.random.default_rng(int(asset[-1]))
    load = np.convolve(random.normal(size=ROWS + 39), np.hanning(40) / 4, mode="valid")[:, None]
    rows = np.array([30.0, 20.0, 6.0]) + load * [2.0, 1.5, -0.4] + random.normal(size=(ROWS, 3)) * [0.5, 0.4, 0.1]
    for stop in STOPS:
        rows[stop] = random.normal(size=(len(stop), 3)) * 0.01
    rows[FAULT, 1] += 8.0
    return rows


# each type takes a training run, an export and an evaluation
TYPES = ["mewma", "pca-q", "isolation-forest"] if os.environ.get("EUGENIE_CHAOS") == "full" else ["mewma"]


@pytest.mark.parametrize("name", TYPES)
def test_a_standing_machine_teaches_nothing_and_has_no_score(tmp_path: Path, name: str, tell) -> None:
    more = ", trees: 20, samples: 64" if name == "isolation-forest" else ""
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(model=f"{{type: {name}, window: 20{more}}}"))
    site = load_site(file)
    for asset in site.assets:
        ts = np.repeat(np.arange(ROWS) * 1_000, 3)
        batch = Batch([(asset, sensor) for sensor in NAMES], np.tile(np.arange(3, dtype=np.int32), ROWS), ts,
                      rows_of(asset).ravel())  # fmt: skip
        open_history(site).commit("test", [batch], key=asset)

    trained = train_class(site, "pump", SILENT)
    registry = Registry(site)
    detector = registry.load(registry.resolve("pump", trained.version))
    assert detector.running is not None
    # zeros of the stops would have pulled the mean of the current far below its normal 30 A
    assert np.abs(detector.mean[:, 0] - 30.0).max() < 1.0
    stopped_in_normal = sum(len(set(stop) & set(range(NORMAL))) for stop in STOPS)
    assert sum(asset.rows + asset.learnt for asset in detector.calibration.assets) <= 2 * (NORMAL - stopped_in_normal)

    published = export.export_class(site, "pump", trained.version, SILENT)
    assert published.largest_difference is not None and published.largest_difference < 1e-3

    worst = 0.0
    for backtested in backtest(open_class(site, "pump"), version=trained.version):
        expected = reference.score(detector, [backtested.asset], backtested.rows[None])
        first = detector.window - 1
        score, contribution = backtested.score[first:], backtested.contribution[first:]
        np.testing.assert_array_equal(np.isnan(score), np.isnan(expected.score[0]))
        scored = np.isfinite(score)
        worst = max(worst, float(np.abs(score - expected.score[0])[scored].max() / expected.score[0][scored].max()))
        np.testing.assert_allclose(score[scored], expected.score[0][scored], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(contribution[scored], expected.contribution[0][scored], atol=1e-3)
        for stop in STOPS:
            assert np.isnan(backtested.score[stop]).all()
            assert np.isnan(backtested.score[stop.stop])  # until enough of the window ran
            assert np.isfinite(backtested.score[stop.stop + detector.window])
        assert not any(event.start // 1_000 in stop for event in backtested.events for stop in STOPS)

    labels = Labels(tuple(Label(asset, FAULT.start * 1_000, FAULT.stop * 1_000, ("flow",)) for asset in site.assets))
    evaluation = evaluate_class(open_class(site, "pump"), EvaluationOptions(labels, version=trained.version))
    assert evaluation.model.events is not None and evaluation.model.events.total == 2
    if name != "isolation-forest":  # so few trees do not detect a fault of one sensor
        assert evaluation.model.events.detected == 2
    assert (
        evaluation.model.coverage is not None and evaluation.model.coverage < 1 - len(STOPS[2]) / (ROWS - NORMAL) + 0.01
    )
    tell(f"{name}: graph and numpy differ by at most {worst:.1g} of the largest score, {evaluation.model.events}")
