"""Versions that look good by one figure but are not: the gate's verdict on them, by eugenie's own figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from eugenie_cli.episodes.state_machine import AlarmRule
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.comparison import Candidate
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.judged_rows import quiet_rows
from eugenie_cli.evaluation.paired_study import PairStudy
from eugenie_cli.evaluation.performance import judge as judge_asset
from eugenie_cli.evaluation.performance import summarise
from eugenie_cli.evaluation.promotion_gate import Verdict, candidate_of, judge, judge_alone
from eugenie_cli.evaluation.provenance import Unknown
from eugenie_cli.evaluation.training_rows import TrainingRowCount
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.promotion import PromotionGate
from eugenie_cli.site.schema import Site

START, STEP, ROWS = 1_767_225_600_000, 60_000, 4_320  # three days of minutes
FAULT = slice(1_500, 1_860)
OFF_DELAY = 5
ASSETS = tuple(f"p-{number}" for number in range(6))
SITE = Site.model_validate({
    "site": "plant",
    "classes": {"pump": {
        "sensors": [{"name": "flow"}], "step": "1m", "model": {"window": 60, "warmup": 30},
        "alarm": {"budget": 0.01, "on_delay": 5, "off_delay": 5},
    }},
    "assets": {name: {"class": "pump"} for name in ASSETS},
})  # fmt: skip
LABELS = Labels(tuple(Label(name, START + FAULT.start * STEP, START + FAULT.stop * STEP, ()) for name in ASSETS[:2]))

Scores = dict[str, np.ndarray]


def sound(seed: int) -> Scores:
    """Scores that are high only in the fault of the first two assets, and for nine rows on the third."""
    random = np.random.default_rng(seed)
    scores = {name: random.uniform(0.2, 0.7, ROWS).astype(np.float32) for name in ASSETS}
    for name in ASSETS[:2]:
        scores[name][FAULT] += 1.5
    scores[ASSETS[2]][500:509] += 1.0
    return scores


def changed(change: Callable[[str, np.ndarray], Any]) -> Scores:
    scores = sound(2)
    for name, score in scores.items():
        change(name, score)
    return scores


def everywhere(value: float) -> Callable[[str, np.ndarray], Any]:
    return lambda _, score: score.__setitem__(slice(None), value)


def chattering(name: str, score: np.ndarray) -> None:
    """The score keeps coming and going during the fault."""
    if name in ASSETS[:2]:
        score[FAULT] = np.where(np.arange(360) % 30 < 12, 2.0, 0.1)


def latched(name: str, score: np.ndarray) -> None:
    """Finds both faults but never clears: none of its alarms is false."""
    if name in ASSETS[:2]:
        score[FAULT.start :] = 2.0


def one_latched(name: str, score: np.ndarray) -> None:
    if name == ASSETS[5]:
        score[:] = 2.0


def deaf_of_one(name: str, score: np.ndarray) -> None:
    if name == ASSETS[4]:
        score[:] = np.nan


def half_scored(name: str, score: np.ndarray) -> None:
    score[::2] = np.nan


def flickering(_: str, score: np.ndarray) -> None:
    """Every fourth row, never long enough for an alarm."""
    score[::4] = 2.0


@dataclass(frozen=True)
class Judged:
    """Both versions' evaluations of the same rows."""

    document: dict[str, Any]

    def verdict(self, gate: PromotionGate | None = None) -> Verdict:
        return judge(candidate_of(self.document), self.document, gate or PromotionGate())


def backtest_of(name: str, version: int, score: np.ndarray) -> Backtest:
    values = np.ones((ROWS, 1), np.float32)
    edges = START + STEP * np.arange(ROWS)
    contribution = np.ones((ROWS, 1), np.float32)
    events = replay(AlarmRule(5, 5, 0, 10 * STEP), edges, score, contribution, values=values)
    return Backtest(
        name, version, f"run-{version}", edges, values, score, contribution, values, tuple(events), (), window=60
    )


def judged(
    champion: Scores,
    candidate: Scores,
    labels: Labels | None = LABELS,
    learnt: tuple[TrainingRowCount | None, TrainingRowCount | None] = (None, None),
    left_out: int = 0,
) -> Judged:
    study, judgements = PairStudy(SITE.fleet("pump"), labels), ([], [])
    all_rows = np.ones(ROWS, bool)
    for name in ASSETS:
        pair = [backtest_of(name, version, scores[name]) for version, scores in ((1, champion), (2, candidate))]
        study.add(pair[0], all_rows, pair[1])
        for index, backtest in enumerate(pair):
            own = labels.of([name]) if labels is not None else ()
            quiet = quiet_rows(SITE.fleet("pump"), name, backtest.edges, labels, 60)
            judgements[index].append(judge_asset(
                name, backtest.edges, backtest.score, backtest.contribution, backtest.events,
                judged=all_rows, labels=own, sensors=("flow",), quiet=quiet,
            ))  # fmt: skip
    model, other = (summarise(of_version, step_ms=STEP, with_labels=labels is not None) for of_version in judgements)
    evaluation = Evaluation(
        "pump", 1, "run-1", len(ASSETS), ROWS * len(ASSETS), model, {}, (),
        Candidate(2, "run-2", other, {}, learnt[1]), learnt[0], left_out,
    )  # fmt: skip
    report = EvaluationReport(
        "plant", "UTC", START, STEP, 60, 0.01, 5, 5, evaluation, study.findings(), Unknown("none"),
        candidate=study.candidate(),
    )  # fmt: skip
    return Judged(report.to_json())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("candidate", "labels", "words"),
    [
        (sound(2), LABELS, None),
        (sound(2), None, None),
        (changed(everywhere(2.0)), LABELS, "at most 50% is allowed"),
        (changed(everywhere(2.0)), None, "at most 50% is allowed"),
        (changed(everywhere(np.inf)), LABELS, "quiet rows above 1: 100.0%, at most 50%"),
        (changed(latched), LABELS, "quiet time in alarm: "),
        (changed(one_latched), LABELS, "p-5 99.9% of the quiet time in alarm, the champion 0.0%"),
        (changed(one_latched), None, "p-5 "),
        (changed(chattering), LABELS, "alarms raised during faults: 24, the champion 2, at most 5 allowed"),
        (changed(flickering), LABELS, "share of quiet rows above 1: 25"),
        (changed(everywhere(0.0)), LABELS, "faults found: 0 of 2, the champion 2 of 2"),
        (changed(everywhere(0.0)), None, "it scores no row above 1"),
        (changed(everywhere(0.9)), None, "it scores no row above 1"),
        (changed(everywhere(0.01)), Labels(()), "it is insensitive"),
        (changed(everywhere(np.nan)), LABELS, "no judged row has a score"),
        (changed(everywhere(np.nan)), None, "no judged row has a score"),
        (changed(half_scored), None, "share of rows scored: 50"),
        (changed(deaf_of_one), LABELS, "assets with fewer scored rows: p-4 0.0%, the champion 100.0%"),
        (changed(deaf_of_one), None, "assets with fewer scored rows: p-4 0.0%, the champion 100.0%"),
    ],
)  # fmt: skip
def test_a_version_that_is_too_sensitive_or_too_insensitive_is_refused(candidate, labels, words):
    champion = sound(1)
    if labels is None:  # alarms during faults that nobody labelled
        champion[ASSETS[3]][100:200] = champion[ASSETS[3]][900:999] = 2.0
    verdict = judged(champion, candidate, labels).verdict(PromotionGate(fewer_scored=0.2))
    assert verdict.promote is (words is None), verdict.against
    assert words is None or any(words in reason for reason in verdict.against), verdict.against


@pytest.mark.slow
def test_a_champion_that_is_no_better_does_not_make_it_good():
    """Both score nothing, or alarm endlessly: no comparison counts against the new version."""
    for value, words in ((np.nan, "no judged row has a score"), (2.0, "at most 50% is allowed"), (0.01, "insensitive")):
        verdict = judged(changed(everywhere(value)), changed(everywhere(value)), Labels(())).verdict()
        assert any(words in reason for reason in verdict.against)


def test_rows_are_quiet_again_when_the_longer_of_two_windows_has_passed_the_fault():
    edges = START + STEP * np.arange(ROWS)
    for window in (1, 60, 200):
        noisy = ~quiet_rows(SITE.fleet("pump"), ASSETS[0], edges, LABELS, window)
        assert np.flatnonzero(noisy)[[0, -1]].tolist() == [FAULT.start, FAULT.stop + window + OFF_DELAY - 1]
    fleet, all_rows = SITE.fleet("pump"), np.ones(ROWS, bool)
    short, long = (
        replace(backtest_of(ASSETS[0], version, sound(version)[ASSETS[0]]), window=window)
        for version, window in ((1, 30), (2, 200))
    )
    study = PairStudy(fleet, LABELS)
    study.add(short, all_rows, long)
    findings = (study.findings(), study.candidate())
    assert len({found.assets[0].quiet.rows for found in findings if found is not None}) == 1
    assert findings[0].assets[0].quiet.rows == ROWS - 360 - 200 - OFF_DELAY


def test_a_first_find_may_leave_an_alarm_on_for_a_window_after_the_fault():
    champion = changed(everywhere(0.5))
    candidate = sound(2)
    for name in ASSETS[:2]:
        candidate[name][FAULT.stop : FAULT.stop + 60] = 1.5  # like a window that still contains the fault
    assert judged(champion, candidate).verdict().promote


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learnt", "words"),
    [
        ((None, TrainingRowCount(ROWS * len(ASSETS))), "version 2 was trained on all 25,920 judged rows"),
        ((TrainingRowCount(ROWS * len(ASSETS)), None), "version 1 was trained on all 25,920 judged rows"),
        (
            (TrainingRowCount(700), TrainingRowCount(0)),
            "version 1 was trained on 700 of the 25,920 judged rows",
        ),
    ],
)
def test_training_rows_decide_nothing(learnt, words):
    verdict = judged(sound(1), sound(2), learnt=learnt).verdict()
    (against,) = verdict.against
    assert words in against and "promotion.last" in against and "--from" in against


def test_unknown_training_rows_of_an_older_version_are_reported():
    verdict = judged(
        sound(1), sound(2), learnt=(TrainingRowCount(0, "its run is gone"), TrainingRowCount(0)), left_out=40
    ).verdict()
    assert verdict.promote
    assert any("the rows used to train version 1 are unknown (its run is gone)" in words for words in verdict.reasons)
    assert any("40 rows used to train a version are left out" in words for words in verdict.reasons)


def test_too_little_quiet_time_is_no_judgement():
    document = judged(sound(1), sound(2)).document
    (against,) = judge(candidate_of(document), document, PromotionGate(least="18d")).against
    assert against.startswith("25,070 quiet rows")
    assert judge(candidate_of(document), document, PromotionGate(least="17d")).promote


@pytest.mark.slow
def test_other_rows_for_each_are_no_comparison():
    document = judged(sound(1), sound(2)).document
    shorter = {**candidate_of(document), "judged_rows": 100}
    assert any("not judged on the same rows" in words for words in judge(shorter, document).against)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores", "promoted", "words"),
    [
        (sound(2), True, "no champion"),
        (changed(everywhere(2.0)), False, "at most 50% is allowed"),
        (changed(everywhere(np.nan)), False, "no judged row has a score"),
        (changed(everywhere(0.01)), False, "insensitive"),
        (changed(flickering), True, "warning: 25"),
    ],
)
def test_without_a_champion_the_limits_hold_alone(scores, promoted, words):
    verdict = judge_alone(candidate_of(judged(sound(1), scores).document), PromotionGate())
    assert verdict.promote is promoted
    assert any(words in reason for reason in verdict.reasons), verdict.reasons
