"""A replay that a running job would reject as late is refused, whether or not Flink was queried about it before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eugenie_cli.engines.flink_rest import Metric
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming import replay
from eugenie_cli.streaming.recordings import Recording

WATERMARK = "currentInputWatermark"


class Flink:
    """A cluster with the site's job. The first query makes it fetch figures, which the next query returns."""

    def __init__(self, watermark_ms: int, status: str = "RUNNING") -> None:
        self._watermark, self._status = float(watermark_ms), status
        self._was_queried = False

    def jobs(self) -> list[dict[str, Any]]:
        return [{"name": "eugenie plant", "state": "RUNNING", "jid": "a1"}]

    def job(self, job_id: str) -> dict[str, Any]:
        vertex = {"id": "v", "name": "detect", "parallelism": 1, "status": self._status}
        return {"jid": job_id, "state": "RUNNING", "now": 9_000, "timestamps": {"RUNNING": 1_000}, "vertices": [vertex]}

    def job_metrics(self, _job_id: str, names: list[str]) -> dict[str, float]:
        assert self._status == "RUNNING", "fresh figures of a job that is not running never arrive"
        figures = dict.fromkeys(names, 8_000.0) if self._was_queried else {}
        self._was_queried = True
        return figures

    def metrics(self, _job_id: str, _vertex_id: str, selects: Callable[[str], bool]) -> dict[str, Metric]:
        assert selects(WATERMARK)
        figures = {WATERMARK: Metric(self._watermark, self._watermark, self._watermark)} if self._was_queried else {}
        self._was_queried = True
        return figures


@pytest.fixture
def refuse(site_of, monkeypatch) -> Callable[..., None]:
    """`refuse(flink, start_ms)`: the check before a replay of readings from `start_ms` on."""

    def call(flink: Flink, start_ms: int | None) -> None:
        monkeypatch.setattr(replay, "FlinkRest", lambda _: flink)
        replay._refuse_late(site_of(), Recording(start_ms, start_ms, lambda: iter(())))

    return call


def test_a_job_without_fetched_figures_is_still_found_to_be_ahead_of_the_replay(refuse):
    with pytest.raises(EugenieError, match="would become dead letters, late") as refused:
        refuse(Flink(5_000), 4_999)
    assert refused.value.exit_code is ExitCode.REFUSED


@pytest.mark.slow
@pytest.mark.parametrize("start_ms", [5_000, 6_000, None])
def test_readings_that_are_not_late_are_sent(refuse, start_ms):
    refuse(Flink(5_000), start_ms)


def test_a_job_whose_tasks_do_not_all_run_is_not_waited_for(refuse):
    refuse(Flink(5_000, status="SCHEDULED"), 4_999)
