"""Gateways with wrong clocks, in blocks, after outages, all at once on real engines: each affects its own asset only.

Readings are sent at the wall clock, as gateways send them. Every reading ends in exactly one place, and the scores of
the undisturbed assets are those that the model's formula gives for what was sent, each a few seconds after its row.
`stream status` names the four assets whose clocks are wrong or that are silent, while the others send on.

All other conditions of plants: tests/support/field_conditions.py.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest
from support.small_models import SENSORS, WINDOW, release, sixteenths, write_version

from eugenie_cli.broker import consume
from eugenie_cli.broker.produce import Producer
from eugenie_cli.episodes.records import iso
from eugenie_cli.serving import local, model_info
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.status import status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NAMES = ("a", "b", "c")
STEP_MS = 500
STEPS, MOST_STEPS = 32, 160
"""How long gateways send: until `status` names the silent one, within these limits."""
SILENT_AFTER = 20
"""Steps: as many as it takes to learn how an asset sends."""
IN_TIME_MS = 9_000
"""How long after its edge a row of an undisturbed asset is scored at most, on a busy machine; usually it is 3.5 s."""
YEAR_2000, YEAR_2099 = 946_684_800_000, 4_070_908_800_000


def right(step: int, wall_ms: int) -> int:
    return wall_ms


def ahead(step: int, wall_ms: int) -> int:
    return wall_ms + 20_000


def since(begin: int, step: int, wall_ms: int) -> int:
    return begin + STEP_MS * step


@dataclass
class Gateway:
    """Sends one reading per step of some sensors of an asset, with its own clock, at the steps that `sends` names.

    What it does not send at once it keeps, and sends it later, the oldest first.
    """

    asset: str
    clock: Callable[[int, int], int] = right
    """(step, wall clock in ms) -> instant of the readings, ms."""
    sends: Callable[[int], bool] = lambda step: True
    measures: Callable[[int], bool] = lambda step: True
    sensors: tuple[str, ...] = NAMES
    kept: list[tuple[str, int, float]] = field(default_factory=list)

    def block(self, step: int, wall_ms: int, rng: np.random.Generator) -> list[tuple[str, int, float]]:
        """The readings (sensor, instant, value) that are sent at this step."""
        if self.measures(step):
            instant = self.clock(step, wall_ms)
            self.kept += [(sensor, instant, float(rng.integers(0, 4)) / 4) for sensor in self.sensors]
        return self.rest() if self.sends(step) else []

    def rest(self) -> list[tuple[str, int, float]]:
        """What it has kept."""
        block, self.kept = self.kept, []
        return block


LIVE = tuple(f"live-{number}" for number in range(1, 14))
UNDISTURBED = (*LIVE, "agent-1", "agent-2", "offline")
ODD = ("ahead", "past", "future", "silent")
GATEWAYS = (
    *map(Gateway, LIVE),
    Gateway("agent-1", sends=lambda step: step % 12 == 0),  # two agents that send blocks, at different times
    Gateway("agent-2", sends=lambda step: step % 12 == 6),
    Gateway("offline", sends=lambda step: not 5 <= step < 25),
    Gateway("ahead", clock=ahead),
    Gateway("past", clock=partial(since, YEAR_2000)),
    Gateway("future", clock=partial(since, YEAR_2099)),
    Gateway("silent", measures=lambda step: step < SILENT_AFTER),
    Gateway("split", sensors=NAMES[:2]),  # a sensor comes through another gateway, which is behind
    Gateway("split", sensors=NAMES[2:], sends=lambda step: step % 8 == 7),
)
ASSETS = tuple(dict.fromkeys(gateway.asset for gateway in GATEWAYS))

Sent = dict[str, list[tuple[str, int, float]]]
"""Asset -> its readings (sensor, instant, value)."""


@pytest.fixture(scope="module")
def site(engines) -> Iterator[Site]:
    plant = engines.site(
        "field",
        classes={
            "pump": {
                "sensors": [{"name": name} for name in NAMES],
                "step": f"{STEP_MS}ms",
                "max_gap": "3s",
                "alarm": {"silence": "4s"},
                "model": {"type": "last-value", "window": WINDOW, "horizons": [1]},
            }
        },
        assets={asset: {"class": "pump"} for asset in ASSETS},
        stream={"checkpoint": "1s"},
    )
    version = write_version(workspace_of(plant).models, "pump", 1, ASSETS, sixteenths)
    info = replace(model_info.read(version), step_ms=STEP_MS, max_gap_ms=3_000)
    (version / model_info.LOCATION).write_text(model_info.render(info))
    release(workspace_of(plant).models, "pump", 1)
    local.start(plant)
    try:
        yield plant
    finally:
        local.stop(plant)


def feed(site: Site, is_enough: Callable[[], bool]) -> Sent:
    """Let all gateways send, step by step; what they still keep is sent at the end."""
    rng, sent = np.random.default_rng(3), defaultdict(list)
    with Producer(site) as producer:

        def send(asset: str, block: list[tuple[str, int, float]]) -> None:
            for sensor, instant, value in block:
                reading = {"asset": asset, "sensor": sensor, "ts": iso(instant), "value": value}
                producer.send(site.topics.readings, asset.encode(), json.dumps(reading).encode())
                sent[asset].append((sensor, instant, value))

        begin, step = time.time_ns() // 1_000_000_000 + 1, 0
        while step < STEPS or not (is_enough() or step >= MOST_STEPS):
            wall_ms = 1_000 * begin + STEP_MS * step
            time.sleep(max(0.0, wall_ms / 1_000 - time.time()))
            for gateway in GATEWAYS:
                send(gateway.asset, gateway.block(step, wall_ms, rng))
            step += 1
        for gateway in GATEWAYS:
            send(gateway.asset, gateway.rest())
    return sent


def named_with(site: Site, asset: str) -> set[str]:
    """The assets that `status` names once it names this one as silent."""
    while True:
        reports = status(site).assets
        if asset in {report.asset for report in reports if report.silent_s}:
            return {report.asset for report in reports}
        time.sleep(0.5)


def expected_scores(readings: list[tuple[str, int, float]]) -> dict[str, float]:
    """Instant of each row that has a score -> `sixteenths` of its window, for readings of every sensor at each step."""
    sums = Counter[int]()
    for _, instant, value in readings:
        sums[instant] += value
    rows = sorted(sums)
    assert len(readings) == SENSORS * len(rows) and rows[-1] - rows[0] == STEP_MS * (len(rows) - 1)
    enough = -(-WINDOW * 8 // 10) - 1
    return {
        iso(edge): round(sum(sums[row] for row in rows[max(0, number - WINDOW + 1) : number + 1]) / 16 + 1 / 65_536, 6)
        for number, edge in enumerate(rows)
        if number >= enough
    }


def test_a_gateway_with_a_wrong_clock_affects_its_own_asset_only(site):
    submit(site)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(named_with, site, "silent")
        sent = feed(site, asking.done)
        named = asking.result(timeout=0)
    stop(site, drain=True)

    rows: dict[str, dict[str, tuple[dict, int]]] = defaultdict(dict)
    for record in consume.read(site, str(site.topics.scores), until_end=True):
        score = json.loads(record.value or b"")
        assert score["ts"] not in rows[score["asset"]], "a row was written twice"
        rows[score["asset"]][score["ts"]] = score, record.timestamp_ms
    dead = Counter[tuple[str, str]]()
    for record in consume.read(site, str(site.topics.dead_letters), until_end=True):
        letter = json.loads(record.value or b"")
        content = json.loads(letter["payload"])
        asset = (content[0] if isinstance(content, list) else content)["asset"]
        dead[asset, letter["reason"]] += letter.get("count", 1)

    taken = {asset: sum(row["readings"] + row["bad_quality"] for row, _ in rows[asset].values()) for asset in ASSETS}
    for asset, readings in sent.items():
        refused = sum(count for (name, _), count in dead.items() if name == asset)
        assert taken[asset] + refused == len(readings), (asset, taken[asset], dead)
    assert dead.pop(("future", "future")) == len(sent["future"])
    assert (
        dead.pop(("split", "late"), 0) <= 2 * 4
    )  # of two blocks, until it is known how far its second gateway is behind
    assert not dead

    for asset in (*UNDISTURBED, "ahead", "past", "silent"):
        scores = {ts: row["score"] for ts, (row, _) in rows[asset].items() if row["readings"] and row["score"]}
        assert scores == expected_scores(sent[asset]), asset
    for asset in LIVE:
        ends = {iso(instant): instant for _, instant, _ in sent[asset]}
        delays = [at_ms - ends[ts] for ts, (_, at_ms) in rows[asset].items() if ts in ends]
        assert sorted(delays)[-10] <= IN_TIME_MS  # the last ones may have waited for the end
    assert named - {"split"} == {*ODD}
