"""Reports of made-up plants, as large as wanted: rows and scores are made here, all that follows is eugenie's own."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.trained import AssetCalibration
from eugenie_cli.episodes.machine import AlarmRule
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.judge import judge, summarise
from eugenie_cli.evaluation.labels import Label, Labels
from eugenie_cli.evaluation.provenance import AssetThreshold, Provenance, Unknown
from eugenie_cli.evaluation.replay import replay
from eugenie_cli.evaluation.study import Study
from eugenie_cli.site.model import Site

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP = 10_000
FAULT = (300, 360)
"""Rows of a fault; every third asset is silent about it."""
VAIN = (500, 512)
"""Rows of every second asset that score high for nothing."""
SENSORS = ("flow", "<script>alert('sensor')</script>", 'temperature & "more"')


def site() -> Site:
    return Site.model_validate({
        "site": "plant",
        "timezone": "Europe/Berlin",
        "classes": {
            "pump": {"sensors": [{"name": name, "unit": "<b>bar</b>"} for name in SENSORS], "step": "10s"},
        },
        "assets": {"p-1": {"class": "pump"}},
    })  # fmt: skip


def backtest_of(name: str, number: int, rows: int) -> Backtest:
    random = np.random.default_rng(number)
    values = random.normal(10.0, 0.5, (rows, len(SENSORS))).astype(np.float32)
    values[200:230] = np.nan
    score = np.abs(random.normal(0.4, 0.1, rows)).astype(np.float32)
    if number % 3 != 2:
        score[slice(*FAULT)] += 2.0
    if number % 2:
        score[slice(*VAIN)] += 1.0
    score[:20] = score[200:230] = np.nan
    contribution = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (rows, 1))
    edges = START + STEP * np.arange(rows)
    events = replay(AlarmRule(5, 5, 0, 60_000), edges, score, contribution, values=values)
    expected = np.full(values.shape, 10.0, np.float32)
    return Backtest(name, 7, "run", edges, values, score, contribution, expected, tuple(events), ())


def report_of(assets: list[str], *, labelled: bool = True, rows: int = 720, known: bool = True) -> EvaluationReport:
    """A report of the assets; without `known` nobody can say where the model comes from."""
    plant = site()
    fault = (START + FAULT[0] * STEP, START + FAULT[1] * STEP)
    labels = Labels(tuple(Label(name, *fault, (SENSORS[0],)) for name in assets)) if labelled else None
    study, judgements = Study(plant, "pump", labels), []
    for number, name in enumerate(assets):
        one = backtest_of(name, number, rows)
        judged = ~np.isnan(one.rows).all(axis=1)
        study.add(one, judged)
        own = labels.of([name]) if labels else ()
        judgements.append(
            judge(name, one.edges, one.score, one.contribution, one.events, judged=judged, labels=own, sensors=SENSORS)
        )
    model = summarise(judgements, step_ms=STEP, with_labels=labelled, longest_buffer=120)
    counted = sum(len(one.score) for one in judgements)
    return EvaluationReport(
        site="plant",
        timezone=plant.timezone,
        made=START + 10**9,
        step_ms=STEP,
        window=120,
        budget=0.01,
        on_delay=5,
        off_delay=5,
        evaluation=Evaluation("pump", 7, "run", len(assets), counted, model, {"mewma": model}, ("A note & more.",)),
        findings=study.findings(),
        provenance=provenance(assets) if known else Unknown("the registry <does not> answer"),
    )


def provenance(assets: list[str]) -> Provenance:
    return Provenance(
        run_id="run", ended="2026-01-01T00:00:00.000Z", data_fingerprint="ab12", eugenie="0.1.0", commit="",
        periods={name: {"training": ["2026-01-01", "2026-01-02"]} for name in assets}, window=120,
        judges="LSTM forecaster",
        context=("ambient",), quantile=0.999, budget=0.01, margin=1.25, rehearsal=0.02,
        assets=tuple(
            AssetThreshold(AssetCalibration(name, 400, number % 4 == 0, 2.5, 0.001, 2000, 0.2, "flow"), 3.1, number % 4 != 0)
            for number, name in enumerate(assets)
        ),
    )  # fmt: skip
