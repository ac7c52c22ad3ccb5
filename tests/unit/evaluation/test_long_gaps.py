"""Long gaps in a history cost no rows, and change no figure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.scored_plant import FAULT, ROWS, SITE, START, STEP, export, register, rows_of

from eugenie_cli.evaluation import backtest as backtests
from eugenie_cli.evaluation import evaluate
from eugenie_cli.evaluation.collector import Collector
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.history import grid
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import offline_replay
from eugenie_cli.streaming.recordings import Chosen
from eugenie_cli.training.mmap_arrays import Memory
from eugenie_cli.training.open_class import open_class

PAUSES = {150: 40, 300: 9_000, 520: 61, 560: 30_000, 730: 80, 900: 200}
"""Row -> seconds without a reading before it."""
AT = START + STEP * (np.arange(ROWS) + np.cumsum([PAUSES.get(row, 0) for row in range(ROWS)]))


@pytest.fixture(scope="module")
def paused_plant(tmp_path_factory) -> Site:
    folder: Path = tmp_path_factory.mktemp("plant")
    (folder / "plant.yaml").write_text(
        SITE.format(workspace=folder / "workspace").replace("00:06:40Z", "02:50:00Z")  # 540 rows
    )
    site = load_site(folder / "plant.yaml")
    for asset in site.assets:
        for column, name in enumerate(("pressure", "flow")):
            values = rows_of(asset)[:, column]
            readings = [(asset, name, int(AT[row]), values[row]) for row in np.flatnonzero(np.isfinite(values))]
            open_history(site).commit("test", [Batch.of(readings)], key=f"{asset} {name}")
    export(folder / "workspace" / "models" / "pump" / "3")
    register(site, "run", "run", "run")
    return site


def evaluated(plant: Site, **options: object) -> tuple[dict, dict]:
    labels = Labels((Label("p-1", int(AT[FAULT.start]), int(AT[FAULT.stop]), ("flow",)),))
    study = Collector(plant.fleet("pump"), labels)
    result = evaluate.evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(labels, version=3, **options), watch=study
    )
    document = result.to_json()
    del document["baselines"]["random"]  # it draws a number for every row
    return document, dataclasses.asdict(study.findings())


def assert_equal(first: object, second: object, path: str = "") -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), path
        for number, pair in enumerate(zip(first, second, strict=True)):
            assert_equal(*pair, f"{path}[{number}]")
    elif isinstance(first, (float, np.ndarray)):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6, err_msg=path)
    else:
        assert first == second, path


@pytest.mark.slow
@pytest.mark.parametrize("first_row", [None, 545, 700, 900], ids=["all of it", "before a gap", "later", "after a gap"])
def test_an_evaluation_is_the_same_with_and_without_the_rows_of_gaps(
    paused_plant: Site, monkeypatch: pytest.MonkeyPatch, first_row: int | None
) -> None:
    options = {} if first_row is None else {"start_ms": int(AT[first_row]) - 20 * STEP}
    short = evaluated(paused_plant, **options)
    rows_made = []

    def dense(*arguments: object, gap_rows: int, **keywords: object) -> grid.Grid:
        made = grid.load_grid(*arguments, **keywords)
        rows_made.append(len(made.edges))
        return made

    monkeypatch.setattr(backtests, "load_grid", dense)
    whole = evaluated(paused_plant, **options)
    assert max(rows_made) > (20_000 if first_row is None else 100)
    assert short[0]["events"]["detected"] == (first_row != 900)
    for of_short, of_whole in zip(short, whole, strict=True):
        assert_equal(of_short, of_whole)


@pytest.mark.slow
def test_a_replay_writes_the_same_scores_and_anomalies(
    paused_plant: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for gaps in ("short", "whole"):
        if gaps == "whole":
            monkeypatch.setattr(backtests, "load_grid", lambda *arguments, gap_rows: grid.load_grid(*arguments))
        written = [tmp_path / f"{gaps}-{name}.jsonl" for name in ("scores", "anomalies")]
        offline_replay.score(
            paused_plant, Chosen(tuple(paused_plant.assets)), version="3", scores_to=written[0], anomalies_to=written[1]
        )
        files.append([path.read_text() for path in written])
    assert files[0] == files[1]
    assert files[0][0].count("\n") > ROWS


def test_rows_of_gaps_take_no_memory(paused_plant: Site) -> None:
    opened = open_class(paused_plant, "pump")
    for scored in backtests.backtest(opened, version=3):
        assert len(scored.edges) < ROWS + 60 * len(PAUSES)
        assert int(scored.edges[-1]) - int(scored.edges[0]) > 35_000 * STEP
    for summary in opened.history.summary():
        normal = evaluate.normal_grid(opened.fleet, opened.history, summary, Memory())
        assert normal.used + 60 * len(PAUSES) > len(normal.edges) >= normal.used
