"""Reports of synthetic plants of any size: rows and scores are generated here, the rest is eugenie's own code."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.detector import AssetCalibration
from eugenie_cli.episodes.state_machine import AlarmRule
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.comparison import Candidate, Comparison
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.performance import judge, summarise
from eugenie_cli.evaluation.provenance import AssetThreshold, Provenance, Unknown
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.schema import Site

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP = 10_000
FAULT = (300, 360)
"""Rows of a fault; every third asset misses it."""
FALSE_ALARM = (500, 512)
"""Rows in which every second asset scores high without a fault."""
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


def backtest_of(name: str, number: int, rows: int, version: int = 7) -> Backtest:
    """Version 8 misses the fault of every first of three assets, and raises a false alarm on all assets."""
    random = np.random.default_rng(number)
    values = random.normal(10.0, 0.5, (rows, len(SENSORS))).astype(np.float32)
    values[200:230] = np.nan
    score = np.abs(random.normal(0.4, 0.1, rows)).astype(np.float32)
    if number % 3 != (2 if version == 7 else 0):
        score[slice(*FAULT)] += 2.0
    if number % 2 or version == 8:
        score[slice(*FALSE_ALARM)] += 1.0
    score[:20] = score[200:230] = np.nan
    contribution = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (rows, 1))
    edges = START + STEP * np.arange(rows)
    events = replay(AlarmRule(5, 5, 0, 60_000), edges, score, contribution, values=values)
    expected = np.full(values.shape, 10.0, np.float32)
    return Backtest(name, version, "run", edges, values, score, contribution, expected, tuple(events), (), window=120)


def report_of(
    assets: list[str], *, labelled: bool = True, rows: int = 720, known: bool = True, beside: bool = False
) -> EvaluationReport:
    """A report of the assets; without `known`, the model's provenance is unknown; `beside`: with version 8."""
    plant = site()
    fault = (START + FAULT[0] * STEP, START + FAULT[1] * STEP)
    labels = Labels(tuple(Label(name, *fault, (SENSORS[0],)) for name in assets)) if labelled else None
    study, judgements = PairStudy(plant.fleet("pump"), labels), {7: [], 8: []}
    comparison = Comparison(step_ms=STEP, window=120, with_labels=labelled)
    for number, name in enumerate(assets):
        pair = [backtest_of(name, number, rows, version) for version in (7, 8)]
        judged = ~np.isnan(pair[0].rows).all(axis=1)
        study.add(pair[0], judged, pair[1] if beside else None)
        own = labels.of([name]) if labels else ()
        for backtest in pair:
            judgements[backtest.version].append(
                judge(
                    name, backtest.edges, backtest.score, backtest.contribution, backtest.events,
                    judged=judged, labels=own, sensors=SENSORS,
                )
            )  # fmt: skip
        comparison.add(pair[0].edges[judged], judgements[7][-1], judgements[8][-1])
    model, other = (summarise(of_version, step_ms=STEP, with_labels=labelled) for of_version in judgements.values())
    judged_rows = sum(len(judgement.score) for judgement in judgements[7])
    candidate = Candidate(8, "run-8", other, comparison.differences(model, other)) if beside else None
    return EvaluationReport(
        site="plant",
        timezone=plant.timezone,
        made=START + 10**9,
        step_ms=STEP,
        window=120,
        budget=0.01,
        on_delay=5,
        off_delay=5,
        evaluation=Evaluation(
            "pump", 7, "run", len(assets), judged_rows, model, {"mewma": model}, ("A note & more.",), candidate
        ),
        findings=study.findings(),
        candidate=study.candidate(),
        provenance=provenance(assets) if known else Unknown("the registry <does not> answer"),
    )


def provenance(assets: list[str]) -> Provenance:
    return Provenance(
        run_id="run", ended="2026-01-01T00:00:00.000Z", data_fingerprint="ab12", eugenie="0.1.0", commit="",
        periods={name: {"training": ["2026-01-01", "2026-01-02"]} for name in assets}, window=120,
        judges="LSTM forecaster",
        context=("ambient",), quantile=0.999, budget=0.01, margin=1.25, rehearsal=0.02,
        assets=tuple(
            AssetThreshold(
                AssetCalibration(name, 400, number % 4 == 0, 2.5, 0.001, 2000, 0.2, "flow"), 3.1, number % 4 != 0
            )
            for number, name in enumerate(assets)
        ),
    )  # fmt: skip
