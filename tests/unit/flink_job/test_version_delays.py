"""The stream follows the delays of the model version that scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
import numpy as np
import pytest
from support.job_specs import build_spec, class_spec

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.episodes.state_machine import AlarmRule
from eugenie_cli.flink_job import version_delays
from eugenie_cli.flink_job.alarm_state import ANOMALY, AlarmState, rule_of
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.version_delays import SIGNATURE, VersionDelays
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.messages import Answer

OPEN = class_spec("pump", on_delay=None, off_delay=None)


class Server:
    """Answers from a list: delays, or a status that is refused with."""

    def __init__(self, *answers: Delays | grpc.StatusCode) -> None:
        self.answers: Sequence[Delays | grpc.StatusCode] = list(answers)
        self.asked: list[tuple[str, int | None, str]] = []

    def call(self, model: str, inputs: Mapping[str, np.ndarray], version: int, signature: str) -> Answer:
        answer = self.answers[len(self.asked)]
        self.asked.append((model, version, signature))
        assert inputs["asset"].tolist() == [b"p-1"]
        if isinstance(answer, grpc.StatusCode):
            raise ModelServerError(answer, "no", "server:8500")
        return Answer({"on_delay": np.array([answer.on]), "off_delay": np.array([answer.off])}, version)


def test_each_version_is_asked_once() -> None:
    server = Server(Delays(3, 5), Delays(10, 10))
    known = VersionDelays(server, [OPEN])
    assert [known.of("pump", version, "p-1") for version in (7, 7, 8, 7)] == [
        Delays(3, 5), Delays(3, 5), Delays(10, 10), Delays(3, 5),
    ]  # fmt: skip
    assert server.asked == [("pump", 7, SIGNATURE), ("pump", 8, SIGNATURE)]


def test_nobody_is_asked_where_the_site_file_has_both() -> None:
    server = Server()
    VersionDelays(server, [class_spec("pump", on_delay=2, off_delay=2)]).of("pump", 7, "p-1")
    assert server.asked == []


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION])
def test_a_version_of_an_earlier_release_has_the_usual_delays(code, caplog) -> None:
    assert VersionDelays(Server(code), [OPEN]).of("pump", 7, "p-1") == Delays(5, 5)
    assert "pump version 7 has no delays of its own" in caplog.text


def test_an_unreachable_server_is_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(version_delays.time, "sleep", lambda _: None)
    server = Server(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, Delays(3, 5))
    assert VersionDelays(server, [OPEN]).of("pump", 7, "p-1") == Delays(3, 5)


def test_the_site_file_has_priority_for_each_delay() -> None:
    assert rule_of(class_spec(on_delay=None, off_delay=9), Delays(3, 4)) == AlarmRule(3, 9, 0, 5_000)
    assert rule_of(class_spec(on_delay=8, off_delay=None), Delays(3, 4)) == AlarmRule(8, 4, 0, 5_000)


def scored(delays: Delays, first_edge: int = 1_000) -> ScoredBatch:
    """Six rows above 1."""
    rows, counts = np.zeros((1, 6, 2), np.float32), np.ones((1, 6), np.int32)
    batch = Batch("pump", ("p1",), np.array([first_edge]), 1_000, rows, counts, counts * 0, np.zeros(1, np.int64))
    return ScoredBatch(batch, np.full((1, 6), 2.0, np.float32), rows + 0.5, rows, 7, delays)


def opened(*batches: ScoredBatch) -> int:
    alarm_state = AlarmState(build_spec(classes=(OPEN,)))
    return sum(kind == ANOMALY for batch in batches for kind, _, _ in alarm_state.take(batch))


def test_a_promotion_takes_effect_with_the_new_versions_rows() -> None:
    assert opened(scored(Delays(8, 5))) == 0
    assert opened(scored(Delays(3, 5))) == 1
    assert opened(scored(Delays(20, 5)), scored(Delays(3, 5), first_edge=7_000)) == 1
