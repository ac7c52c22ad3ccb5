"""Evaluating a model version on a small plant's history, which `conftest` describes."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from support.scored_plant import FAULT, GAP, NORMAL_ROWS, ROWS, START, STEP, WINDOW, rows_of

from eugenie_cli.commands.evaluate import _show
from eugenie_cli.console import Console
from eugenie_cli.detection import segments
from eugenie_cli.detection.baselines import BASELINES
from eugenie_cli.episodes.records import anomaly_id, iso
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation import backtest as backtests
from eugenie_cli.evaluation.backtest import backtest
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.recommendation import how_to_take
from eugenie_cli.evaluation.request import EvaluationRequest, evaluate_site
from eugenie_cli.evaluation.training_rows import TrainingRows, learnt_by, leaves_something
from eugenie_cli.history import grid
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.result import FailedClass

LABELS = Labels((
    Label("p-1", START + FAULT.start * STEP, START + FAULT.stop * STEP, ("flow",)),
    Label("p-2", START + 900 * STEP, START + 950 * STEP, ("pressure",)),
    Label("p-1", START + 100 * STEP, START + 110 * STEP),
))  # fmt: skip


def by_hand(asset: str) -> np.ndarray:
    """The scores of all rows, window by window."""
    rows = np.concatenate([np.full((WINDOW - 1, 2), np.nan), rows_of(asset).astype(np.float32)])
    if asset == "p-1":
        rows[WINDOW - 1 + GAP.start] = rows[WINDOW - 2 + GAP.start]  # a value lives for max_gap: one step
    scores = []
    for index in range(ROWS):
        window = rows[index : index + WINDOW]
        present = ~np.isnan(window[:, 0])
        valid = present[-1] and present.sum() >= 0.8 * WINDOW
        scores.append(np.abs((window[present] - [10, 20]).mean(axis=0)).max() if valid else np.nan)
    return np.array(scores)


def of(site, asset="p-1", **options):
    return next(scored for scored in backtest(open_class(site, "pump"), version=3, **options) if scored.asset == asset)


@pytest.mark.slow
@pytest.mark.parametrize("segment", [1, 7, 333, 4096])
def test_scores_are_those_of_each_window_alone_wherever_segments_are_cut(plant, monkeypatch, segment):
    monkeypatch.setattr(segments, "SEGMENT_ROWS", segment)
    scored = of(plant, start_ms=START + 480 * STEP, end_ms=START + 800 * STEP)
    assert scored.score == pytest.approx(by_hand("p-1")[480:800], abs=1e-4, nan_ok=True)


@pytest.mark.slow
def test_rows_before_the_period_fill_its_first_windows(plant):
    whole, part = of(plant), of(plant, start_ms=START + 600 * STEP, end_ms=START + 650 * STEP)
    assert (part.edges[0], len(part.edges)) == (START + 600 * STEP, 50)
    assert part.score == pytest.approx(whole.score[600:650], abs=1e-6)
    assert not np.isnan(part.score[0])


@pytest.mark.slow
def test_the_fault_is_one_anomaly_with_the_streams_id_and_its_sensor_first(plant):
    scored = of(plant)
    during = [record for record in scored.anomalies if record["start"] >= iso(START + FAULT.start * STEP)]
    opened, closed = during[0], during[-1]
    assert {record["id"] for record in during} == {opened["id"]}
    assert (opened["state"], closed["state"], closed["reason"]) == ("open", "closed", "recovered")
    first = FAULT.start + int(np.argmax(by_hand("p-1")[FAULT.start :] > 1))
    assert opened["start"] == iso(START + first * STEP)
    assert opened["detected"] == iso(START + (first + 2) * STEP)
    assert opened["id"] == anomaly_id("plant", "p-1", "pump", START + first * STEP)
    assert opened["sensors"][0]["sensor"] == "flow"
    assert opened["model"] == {"name": "pump", "version": 3}


@pytest.mark.slow
def test_an_evaluation_judges_rows_outside_normal_periods_and_only_their_events(plant):
    result = evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3))
    gap = len(GAP) - 1
    assert (result.assets, result.judged_rows) == (2, 2 * (ROWS - NORMAL_ROWS + 1) - gap)
    assert (result.model.events.total, result.model.events.detected) == (2, 1)
    assert result.model.root_cause.events == 2
    assert result.model.root_cause.hit_at_1 >= 0.5
    flagged = by_hand("p-1")[NORMAL_ROWS:] > 1
    labelled = np.zeros(ROWS, bool)
    labelled[FAULT] = True
    right = (flagged & labelled[NORMAL_ROWS:]).sum()
    assert result.model.point.recall == pytest.approx(right / (len(FAULT) + 50))
    assert 0 < result.model.coverage < 1  # windows at the gap's end


@pytest.mark.slow
def test_the_baselines_are_judged_alike_and_the_trivial_ones_pay_for_flagging(plant):
    result = evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3))
    assert list(result.baselines) == list(BASELINES)
    everything = result.baselines["all-positive"]
    assert (everything.point.far, everything.point.mar) == (1.0, 0.0)
    assert everything.alarm_time_fraction == pytest.approx(1.0, abs=0.005)  # minus an on-delay after the gap
    assert result.baselines["mewma"].events.detected == 1
    assert result.baselines["random"].point.recall == pytest.approx(0.5, abs=0.15)


@pytest.mark.slow
def test_rows_before_the_period_fill_the_baselines_first_windows_too(plant):
    evaluation = evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(LABELS, START + 600 * STEP, START + 700 * STEP, version=3)
    )
    assert all(performance.coverage == 1.0 for performance in evaluation.baselines.values())


@pytest.mark.slow
def test_without_labels_only_what_can_be_known_is_said(plant):
    result = evaluate_class(open_class(plant, "pump"), EvaluationOptions(None, version=3))
    assert (result.model.point, result.model.events, result.model.vus_pr) == (None, None, None)
    assert result.model.flagged == pytest.approx(
        np.mean([*(by_hand("p-1")[400:] > 1), *(by_hand("p-2")[400:] > 1)]), 0.1
    )
    assert any("Without labels, nobody can say" in note for note in result.notes)


@pytest.mark.slow
def test_a_baseline_that_wins_is_named_in_plain_words(plant):
    notes = evaluate_class(open_class(plant, "pump"), EvaluationOptions(Labels(LABELS.labels[1:2]), version=3)).notes
    assert any("is better than the model here" in note for note in notes)


def test_how_to_take_a_baseline_is_a_line_of_the_site_file(plant):
    advice = how_to_take(plant.fleet("pump"), "mewma")
    assert advice == " To use it: `model: {type: mewma}` in classes.pump, then `eugenie train --class pump`."
    changed = plant.classes["pump"].model.model_copy(update={"calibration": 0.4})
    classes = {"pump": plant.classes["pump"].model_copy(update={"model": changed})}
    other = plant.model_copy(update={"classes": classes})
    assert "{type: pca-q, calibration: 0.4}" in how_to_take(other.fleet("pump"), "pca-q")
    assert how_to_take(plant.fleet("pump"), "random") == ""


@pytest.mark.slow
def test_the_json_is_the_contract(plant):
    document = json.loads(
        json.dumps(
            evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3)).to_json(), allow_nan=False
        )
    )
    figures = {
        "point": {"f1", "far", "mar", "precision", "recall"},
        "events": {"total", "detected", "delay_s"},
        "root_cause": {"events", "hit@1", "hit@3", "hitrate@100", "hitrate@150"},
    }
    assert (document["class"], document["version"]) == ("pump", 3)
    for section in (document, *document["baselines"].values()):
        assert {name: set(section[name]) for name in figures} == figures
        assert set(section["events"]["delay_s"]) == {"median", "p90"}
        assert isinstance(section["false_alarms_per_asset_day"], float)
        assert isinstance(section["alarm_time_fraction"], float)
        assert isinstance(section["vus_pr"], float)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_scores_and_anomalies_can_be_written_to_files(plant, tmp_path, name):
    scores, anomalies = tmp_path / name, tmp_path / "anomalies.jsonl"
    evaluate_class(open_class(plant, "pump"), EvaluationOptions(version=3, scores_to=scores, anomalies_to=anomalies))
    read = pyarrow.csv.read_csv if name.endswith("csv") else pyarrow.parquet.read_table
    table = read(scores)
    assert table.column_names == ["asset", "ts", "score", "version"]
    assert table.num_rows == sum(
        np.count_nonzero(~np.isnan(scored.rows).all(axis=1))
        for scored in backtest(open_class(plant, "pump"), version=3)
    )
    second = table.filter(pyarrow.compute.equal(table["asset"], "p-2"))
    written = second["score"].to_numpy(zero_copy_only=False)[:ROWS]
    assert written == pytest.approx(by_hand("p-2"), abs=1e-4, nan_ok=True)
    lines = [json.loads(line) for line in anomalies.read_text().splitlines()]
    assert lines == [record for scored in backtest(open_class(plant, "pump"), version=3) for record in scored.anomalies]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["anomalies.jsonl", name])


@pytest.mark.slow
def test_csv_instants_have_milliseconds_and_z(plant, tmp_path):
    evaluate_class(open_class(plant, "pump"), EvaluationOptions(version=3, scores_to=tmp_path / "s.csv"))
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "asset,ts,score,version"
    assert lines[1].startswith("p-1,2026-01-01T00:00:00.000Z,,3")


def test_a_file_of_scores_must_be_csv_or_parquet_and_a_failure_leaves_none(plant, tmp_path):
    with pytest.raises(EugenieError, match=r"\.csv or \.parquet"):
        evaluate_class(open_class(plant, "pump"), EvaluationOptions(version=3, scores_to=tmp_path / "scores.txt"))
    with pytest.raises(EugenieError, match="cannot write"):
        evaluate_class(
            open_class(plant, "pump"), EvaluationOptions(version=3, scores_to=tmp_path / "nowhere" / "scores.csv")
        )
    with pytest.raises(EugenieError, match="no class fan"):
        evaluate_class(open_class(plant, "fan"), EvaluationOptions(version=3, scores_to=tmp_path / "scores.csv"))
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_does_not_fit_the_site_is_refused(plant):
    changed = plant.model_copy(update={"classes": {"pump": plant.classes["pump"].model_copy(update={"step": 2_000})}})
    with pytest.raises(EugenieError, match="step: the model has 1000 ms") as caught:
        next(backtest(open_class(changed, "pump"), version=3))
    assert caught.value.exit_code == ExitCode.REFUSED


@pytest.mark.slow
def test_a_machine_unknown_to_the_version_does_not_block_the_others(plant):
    """It was added later, or had no history: the others are judged as if it did not exist, and a note names it."""
    with_new = plant.model_copy(update={"assets": {"p-0": plant.assets["p-1"], **plant.assets}})
    alone = evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3, with_baselines=False))
    evaluation = evaluate_class(
        open_class(with_new, "pump"), EvaluationOptions(LABELS, version=3, with_baselines=False)
    )
    assert (evaluation.assets, evaluation.judged_rows, evaluation.model) == (
        alone.assets,
        alone.judged_rows,
        alone.model,
    )
    assert next(note for note in evaluation.notes if "p-0" in note).startswith("Not judged: p-0.")
    assert not any("Not judged" in note for note in alone.notes)
    unlisted = with_new.model_copy(
        update={"assets": {"p-0": plant.assets["p-1"].model_copy(update={"normal": ()}), **plant.assets}}
    )
    of_unlisted = evaluate_class(
        open_class(unlisted, "pump"), EvaluationOptions(LABELS, version=3, with_baselines=False)
    )
    assert of_unlisted.notes == evaluation.notes  # a version was not trained on an asset that it does not know
    beside = evaluate_class(
        open_class(with_new, "pump"), EvaluationOptions(LABELS, version=3, candidate=3, with_baselines=False)
    )
    assert beside.candidate.model == alone.model
    strangers = plant.model_copy(update={"assets": {"p-0": plant.assets["p-1"]}})
    with pytest.raises(EugenieError, match="does not know p-0"):
        next(backtest(open_class(strangers, "pump"), version=3))


def test_a_version_is_judged_by_its_own_window_after_a_change_of_type(plant):
    other = plant.classes["pump"].model.model_copy(update={"window": 37})
    changed = plant.model_copy(update={"classes": {"pump": plant.classes["pump"].model_copy(update={"model": other})}})
    unchanged, scored = of(plant, "p-2"), of(changed, "p-2")
    np.testing.assert_array_equal(scored.score, unchanged.score)


def test_a_request_is_checked_before_anything_is_scored(plant):
    for options, message in [
        ({"class_names": ["pumps"]}, r"no class pumps \(did you mean pump\?\)"),
        ({"start": "noon"}, "--from: 'noon' is not an ISO 8601 instant"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "is not after --from"),
    ]:
        with pytest.raises(EugenieError, match=message) as caught:
            next(evaluate_site(plant, EvaluationRequest(**options)))
        assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.slow
def test_a_class_without_a_version_does_not_stop_the_others(plant):
    fans = {"fan": plant.classes["pump"], **plant.classes, "mixer": plant.classes["pump"]}
    assets = {**plant.assets, "f-1": plant.assets["p-1"].model_copy(update={"class_name": "fan"})}
    assets["m-1"] = plant.assets["p-1"].model_copy(update={"class_name": "mixer"})
    plants = plant.model_copy(update={"classes": fans, "assets": assets})
    fan, pump, mixer = evaluate_site(plants, EvaluationRequest(version="3"))
    assert [type(failed) for failed in (fan, mixer)] == [FailedClass, FailedClass]
    assert (fan.class_name, mixer.class_name) == ("fan", "mixer") and fan.reason
    assert pump.evaluation.class_name == "pump" and pump.evaluation.judged_rows
    with pytest.raises(EugenieError):  # alone, its error is the command's
        next(evaluate_site(plants, EvaluationRequest(["fan"], version="3")))


@pytest.mark.slow
def test_an_asset_whose_history_cannot_be_read_does_not_stop_the_others(plant, monkeypatch):
    whole = evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3, with_baselines=False))

    def load_grid(fleet, history, asset, *period, gap_rows):
        if asset == "p-2":
            raise EugenieError("p-2: its readings span 10,000,000,000 rows")
        return grid.load_grid(fleet, history, asset, *period, gap_rows=gap_rows)

    monkeypatch.setattr(backtests, "load_grid", load_grid)
    part = evaluate_class(open_class(plant, "pump"), EvaluationOptions(LABELS, version=3, with_baselines=False))
    assert 0 < part.judged_rows < whole.judged_rows and part.assets == 1
    assert any(note == "Not judged: p-2. p-2: its readings span 10,000,000,000 rows." for note in part.notes)


@pytest.mark.slow
def test_a_period_without_rows_is_said_so(plant):
    result = evaluate_class(
        open_class(plant, "pump"), EvaluationOptions(LABELS, START - 10**6, START - 10**5, version=3)
    )
    assert result.judged_rows == 0
    assert result.model.point.f1 is None
    assert any("no row to judge" in note for note in result.notes)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "no labels"])
def test_the_table_has_the_model_first(plant, labels):
    out, err = io.StringIO(), io.StringIO()
    _show(Console(out, err), evaluate_class(open_class(plant, "pump"), EvaluationOptions(labels, version=3)))
    lines = [line.split()[0] for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0] == "pump"
    assert [name for name in lines if name in ("version", "pca-q", "random")] == [
        "version",
        "pca-q",
        "random",
    ]
    assert "not judged" in err.getvalue()


def test_rows_of_an_asset_that_is_not_judged_do_not_make_a_period_new(plant):
    """Otherwise, all rows that can be judged would be left out because of them."""
    spans = {stored.asset: [(stored.start_ms, stored.end_ms)] for stored in open_history(plant).summary()}
    first = TrainingRows({"p-1": spans["p-1"]})
    assert not leaves_something(plant.fleet("pump"), open_history(plant), None, None, [first, TrainingRows()])
    assert leaves_something(
        plant.fleet("pump"),
        open_history(plant),
        None,
        None,
        [TrainingRows(first.spans, "its run is gone"), TrainingRows()],
    )
    assert leaves_something(
        plant.fleet("pump"), open_history(plant), None, None, [TrainingRows({**spans, "p-1": []}), TrainingRows()]
    )


@pytest.mark.parametrize(
    ("learnt", "left"),
    [
        ([(0, 599)], False),
        ([(0, 499), (500, 900)], False),
        ([(0, 499), (501, 900)], True),
        ([(0, 499), (700, 900)], True),
        ([(700, 900)], True),
        ([(420, 900)], True),
        ([], True),
    ],
)
def test_training_rows_after_the_period_leave_its_rows_new(plant, learnt, left):
    """The period is rows 400 to 600; earlier rows are in the site file's normal periods."""
    spans = {"p-1": [(START + first * STEP, START + last * STEP) for first, last in learnt]}
    period = START + NORMAL_ROWS * STEP, START + 600 * STEP
    assert (
        leaves_something(plant.fleet("pump"), open_history(plant), *period, [TrainingRows(spans), TrainingRows()])
        is left
    )


def test_training_rows_are_found_for_a_version_number_given_as_text(plant):
    """The command line passes text. The run of these versions no longer exists, which is reported."""
    assert learnt_by(Registry(plant), "pump", "3") == learnt_by(Registry(plant), "pump", 3)
    assert "run" in learnt_by(Registry(plant), "pump", "3").unknown
    assert "class pump has no 3" not in learnt_by(Registry(plant), "pump", "3").unknown


def test_a_problem_without_words_is_not_taken_for_knowledge(plant, monkeypatch):
    def unreachable(*_):
        raise ConnectionError

    monkeypatch.setattr(Registry, "resolve", unreachable)
    assert learnt_by(Registry(plant), "pump", 3).unknown == "ConnectionError"
