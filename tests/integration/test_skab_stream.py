"""The SKAB testbed through the whole path: the results in Kafka equal those of `evaluate` on the history.

All sixteen runs are imported, trained, exported, served and replayed through Kafka and Flink: once unchanged, once with
malformed and late messages and a stop with a savepoint in the middle.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.replaying import messages, send, with_faults

from eugenie_cli.broker import consume
from eugenie_cli.evaluation.backtest import Backtest, backtest
from eugenie_cli.progress import SILENT
from eugenie_cli.serving import local
from eugenie_cli.serving.export import export_class
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.streaming.status import StreamStatus, status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.options import TrainingOptions
from eugenie_cli.training.train import train_class

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

CLASS = "testbed"
SITE_FILE = Path(__file__).parents[2] / "site-configs" / "skab.yaml"
TOLERANCE = 1e-4
SOME_SCORES_WITHIN_S = 120.0


@dataclass(frozen=True)
class Trained:
    """The site with a served model, and the backtest of that model."""

    site: Site
    expected: dict[str, Backtest]


@pytest.fixture(scope="module")
def trained(engines, data_folder, tmp_path_factory) -> Iterator[Trained]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EUGENIE_DATA", str(data_folder))
        site = load_site(SITE_FILE)
    site = site.model_copy(
        update={
            "workspace": str(tmp_path_factory.mktemp("skab")),
            "kafka": site.kafka.model_copy(update={"bootstrap": engines.kafka}),
            "stream": site.stream.model_copy(update={"flink": engines.flink, "checkpoint": 1_000}),
        }
    )
    import_sources(site)
    train_class(site, CLASS, SILENT, TrainingOptions(epochs=6))
    export_class(site, CLASS)
    local.start(site)
    try:
        yield Trained(site, {backtested.asset: backtested for backtested in backtest(open_class(site, CLASS))})
    finally:
        local.stop(site)


def on_topics_of_its_own(site: Site, name: str) -> Site:
    topics = {kind: f"skab-{name}.{kind}" for kind in ("readings", "anomalies", "scores", "dead_letters")}
    kafka = site.kafka.model_copy(update={"topics": site.kafka.topics.model_copy(update=topics)})
    return site.model_copy(update={"kafka": kafka})


def test_scores_and_anomalies_equal_those_of_evaluate(trained, tell):
    site = on_topics_of_its_own(trained.site, "plain")
    submit(site)
    try:
        sent = send(site, messages(site, site.assets_of(CLASS)))
        before = after_some_calls(site)
    finally:
        stop(site, drain=True)
    largest, compared = compare_scores(site, trained.expected)
    anomalies = compare_anomalies(site, trained.expected)
    tell(
        f"SKAB, {len(trained.expected)} runs, {sent:,} readings: {compared:,} scores through Kafka, Flink and"
        f" the server against evaluate: largest difference {largest:.2g}; {anomalies} anomaly records the same;"
        f" {before.predict_calls:,} Predict calls for {before.predict_windows:,} windows so far"
    )
    assert books(site) == Counter(rows=sent)


@pytest.mark.skipif(
    os.environ.get("EUGENIE_CHAOS") != "full",
    reason="with EUGENIE_CHAOS=full: test_stream_operations stops and resumes a job on synthetic readings",
)
def test_a_savepoint_in_the_middle_of_a_faulty_replay_changes_nothing(trained, tell):
    site = on_topics_of_its_own(trained.site, "resumed")
    clean = messages(site, site.assets_of(CLASS))
    outgoing = list(with_faults(clean, malformed=0.005, late=0.01, seed=3))
    half = len(outgoing) // 2
    submit(site)
    send(site, outgoing[:half])
    wait_for_scores(site)
    rest = threading.Thread(target=send, args=(site, outgoing[half:]))
    rest.start()
    kept = stop(site)
    rest.join()
    resumed = submit(site)
    assert kept.savepoint is not None and resumed.resumed_from == kept.savepoint
    stop(site, drain=True)
    largest, compared = compare_scores(site, trained.expected)
    anomalies = compare_anomalies(site, trained.expected)
    counted = books(site)
    dead = counted["dead letters"]
    tell(
        f"SKAB with a savepoint in the middle: {compared:,} scores, largest difference {largest:.2g};"
        f" {anomalies} anomaly records the same, none twice; {len(outgoing):,} sent ="
        f" {counted['rows']:,} in rows + {counted['bad quality']:,} bad quality + {dead:,} dead letters"
    )
    assert sum(counted.values()) == len(outgoing)
    assert dead > 0.005 * len(clean)


def records(site: Site, topic: str | None) -> list[dict]:
    return [json.loads(record.value) for record in consume.read(site, str(topic), until_end=True) if record.value]


def after_some_calls(site: Site) -> StreamStatus:
    """The job's status once its counts have arrived at Flink."""
    deadline = time.monotonic() + SOME_SCORES_WITHIN_S
    while not (current := status(site)).predict_calls and time.monotonic() < deadline:
        time.sleep(0.5)
    assert 0 < current.predict_calls <= current.predict_windows
    return current


def wait_for_scores(site: Site) -> None:
    deadline = time.monotonic() + SOME_SCORES_WITHIN_S
    while not records(site, site.topics.scores):
        assert time.monotonic() < deadline, "no scores arrived"
        time.sleep(0.5)


def compare_scores(site: Site, expected: dict[str, Backtest]) -> tuple[float, int]:
    """Check that every row is scored once, within TOLERANCE; returns the largest difference and the number of rows."""
    rows = [(record["asset"], record["ts"], record["score"]) for record in records(site, site.topics.scores)]
    arrived = [(asset, int(np.datetime64(ts[:-1], "ms").astype(np.int64)), score) for asset, ts, score in rows]
    assert len({(asset, ts) for asset, ts, _ in arrived}) == len(arrived), "a row was scored twice"
    scores = {(asset, ts): score for asset, ts, score in arrived if score is not None}
    expected_scores = {
        (asset, edge): score
        for asset, backtested in expected.items()
        for edge, score in zip(backtested.edges.tolist(), backtested.score.tolist(), strict=True)
        if score == score
    }
    assert scores.keys() == expected_scores.keys()
    largest = max(
        abs(scores[key] - expected_scores[key]) / max(1.0, abs(expected_scores[key])) for key in expected_scores
    )
    assert largest <= TOLERANCE
    return largest, len(expected_scores)


def compare_anomalies(site: Site, expected: dict[str, Backtest]) -> int:
    """Check that each asset has the same records in the same order: ids, states, times, reasons."""

    def essence(anomaly: dict) -> tuple:
        return tuple(anomaly[key] for key in ("id", "state", "start", "detected", "end", "reason", "severity"))

    arrived: dict[str, list[tuple]] = {}
    for one in records(site, site.topics.anomalies):
        arrived.setdefault(one["asset"], []).append(essence(one))
    wanted = {asset: [essence(record) for record in one.anomalies] for asset, one in expected.items() if one.anomalies}
    assert arrived == wanted
    return sum(map(len, wanted.values()))


def books(site: Site) -> Counter:
    """Count where the readings ended."""
    counts: Counter = Counter()
    for record in records(site, site.topics.scores):
        counts["rows"] += record["readings"]
        counts["bad quality"] += record["bad_quality"]
    for letter in records(site, site.topics.dead_letters):
        counts["dead letters"] += letter.get("count", 1)
    return +counts
