"""The cost of 20,000 tags compared with 160: the same job, engines and number of readings.

Readings of both plants are identified by tags only. The TaskManager is restarted before each of the two runs, so that
the memory of the first does not count for the second.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import engines
from benchmarks.common.plant import WINDOW, Plant
from benchmarks.stream import runs
from benchmarks.stream.preload import preload
from eugenie_cli.broker import topics
from eugenie_cli.engines import endpoints, flink, process
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.operations.up import up
from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

FEW, MANY = Plant(20, tagged=True), Plant(2_500, tagged=True)


def compare(owner: Site, readings: int, progress: Progress) -> dict[str, Any]:
    """The figures of both plants on the engines of `owner`, `readings` after their windows are full."""
    figures: dict[str, Any] = {}
    cost: dict[int, float] = {}
    for plant in (FEW, MANY):
        tags = plant.readings_per_step
        _restart_taskmanager(owner, progress)
        site = _beside(owner, plant)
        topics.ensure(site, progress)
        sent = (WINDOW + -(-readings // tags)) * tags
        preload(site, plant.messages(sent), sent, progress, lambda: engines.check(owner))
        run = runs.stream_job(site, plant, sent, progress, owner)
        progress.say(f"{tags:,} tags: {run.whole.readings_per_s:,.0f} readings/s, {run.memory_mib:,.0f} MiB")
        cost[tags] = 1 / run.whole.readings_per_cpu_s
        figures |= {
            f"memory_mib_{tags}": run.memory_mib,
            f"readings_per_s_{tags}_tags": run.whole.readings_per_s,
            f"cpu_s_per_million_{tags}_tags": cost[tags] * 1e6,
            f"readings_measured_{tags}_tags": run.whole.readings,
            f"readings_lost_{tags}_tags": run.lost,
        }
    return {"cost_ratio_20000_tags": cost[MANY.readings_per_step] / cost[FEW.readings_per_step], **figures}


def _beside(owner: Site, plant: Plant) -> Site:
    """The plant as a site with its own workspace and topics, on the owner's engines and models."""
    name = f"tags-{plant.readings_per_step}"
    site = plant.site(
        owner.base / name,
        site=name,
        kafka={"bootstrap": endpoints.kafka(owner), "partitions": owner.kafka.partitions},
        serving={"address": endpoints.model_server(owner)},
    )
    return site.model_copy(update={"stream": owner.stream.model_copy(update={"flink": endpoints.flink(owner)})})


def _restart_taskmanager(owner: Site, progress: Progress) -> None:
    process.stop(run_file(workspace_of(owner), flink.TASKMANAGER))
    up(owner, progress, only=("flink",))
