"""Gateways with wrong clocks, in blocks, after outages, all at once on real engines: each affects its own asset only.

Readings are sent at the wall clock, as gateways send them. Every reading ends in exactly one place, and the scores of
the undisturbed assets are those that the model's formula gives for what was sent, each a few seconds after its row.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from support.small_models import SENSORS, WINDOW, release, sixteenths, write_version

from eugenie_cli.broker import consume
from eugenie_cli.broker.produce import Producer
from eugenie_cli.episodes.records import iso
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.status import status
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NAMES = ("a", "b", "c")
SECONDS = 20
"""How long gateways send."""
IN_TIME_MS = 9_000
"""How long after its edge a row of an undisturbed asset is scored at most, on a busy machine; usually it is 3.5 s."""
YEAR_2000, YEAR_2099 = 946_684_800_000, 4_070_908_800_000


def right(second: int, wall_ms: int) -> int:
    return wall_ms


def ahead(second: int, wall_ms: int) -> int:
    return wall_ms + 20_000


def since(begin: int, second: int, wall_ms: int) -> int:
    return begin + 1_000 * second


@dataclass
class Gateway:
    """Sends one reading per second of some sensors of an asset, with its own clock, at the seconds that `sends` names.

    What it does not send at once it keeps, and sends it later, the oldest first.
    """

    asset: str
    clock: Callable[[int, int], int] = right
    """(second, wall clock in ms) -> instant of the readings, ms."""
    sends: Callable[[int], bool] = lambda second: True
    measures: Callable[[int], bool] = lambda second: True
    sensors: tuple[str, ...] = NAMES
    kept: list[tuple[str, int, float]] = field(default_factory=list)

    def block(self, second: int, wall_ms: int, rng: np.random.Generator) -> list[tuple[str, int, float]]:
        """The readings (sensor, instant, value) that are sent in this second."""
        if self.measures(second):
            instant = self.clock(second, wall_ms)
            self.kept += [(sensor, instant, float(rng.integers(0, 4)) / 4) for sensor in self.sensors]
        if not self.sends(second):
            return []
        block, self.kept = self.kept, []
        return block


UNDISTURBED = ("live-1", "live-2", "live-3", "agent-1", "agent-2")
GATEWAYS = (
    *(Gateway(asset) for asset in UNDISTURBED[:3]),
    Gateway("agent-1", sends=lambda second: second % 6 == 0),  # two agents that send blocks, at different times
    Gateway("agent-2", sends=lambda second: second % 6 == 3),
    Gateway("ahead", clock=ahead),
    Gateway("past", clock=partial(since, YEAR_2000)),
    Gateway("future", clock=partial(since, YEAR_2099)),
    Gateway("silent", measures=lambda second: second < 8),
    Gateway("offline", sends=lambda second: not 5 <= second < 15),
    Gateway("split", sensors=NAMES[:2]),  # a sensor comes through another gateway, which is behind
    Gateway("split", sensors=NAMES[2:], sends=lambda second: second % 4 == 3),
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
                "step": "1s",
                "max_gap": "5s",
                "model": {"type": "last-value", "window": WINDOW, "horizons": [1]},
            }
        },
        assets={asset: {"class": "pump"} for asset in ASSETS},
        stream={"checkpoint": "1s"},
    )
    write_version(workspace_of(plant).models, "pump", 1, ASSETS, sixteenths)
    release(workspace_of(plant).models, "pump", 1)
    local.start(plant)
    try:
        yield plant
    finally:
        local.stop(plant)


def feed(site: Site) -> Sent:
    """Let all gateways send, second by second; what they still keep is sent at the end."""
    rng, sent = np.random.default_rng(3), defaultdict(list)
    with Producer(site) as producer:
        begin = time.time_ns() // 1_000_000_000 + 1
        for second in range(SECONDS):
            time.sleep(max(0.0, begin + second - time.time()))
            for gateway in GATEWAYS:
                block = gateway.block(second, 1_000 * (begin + second), rng)
                if second == SECONDS - 1:
                    block, gateway.kept = block + gateway.kept, []
                for sensor, instant, value in block:
                    reading = {"asset": gateway.asset, "sensor": sensor, "ts": iso(instant), "value": value}
                    producer.send(site.topics.readings, gateway.asset.encode(), json.dumps(reading).encode())
                    sent[gateway.asset].append((sensor, instant, value))
    return sent


def expected_scores(readings: list[tuple[str, int, float]]) -> dict[str, float]:
    """Instant of each row that has a score -> `sixteenths` of its window, for readings of every sensor each second."""
    sums = Counter[int]()
    for _, instant, value in readings:
        sums[instant] += value
    rows = sorted(sums)
    assert len(readings) == SENSORS * len(rows) and rows[-1] - rows[0] == 1_000 * (len(rows) - 1)
    enough = -(-WINDOW * 8 // 10) - 1
    return {
        iso(edge): round(sum(sums[row] for row in rows[max(0, number - WINDOW + 1) : number + 1]) / 16 + 1 / 65_536, 6)
        for number, edge in enumerate(rows)
        if number >= enough
    }


def test_a_gateway_with_a_wrong_clock_affects_its_own_asset_only(site):
    submit(site)
    sent = feed(site)
    time.sleep(5)  # rows of live assets are made 3.5 s after their edges
    named = {report.asset for report in status(site).assets}
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
    assert dead.pop(("split", "late"), 0) <= 2  # until it is known how far its second gateway is behind
    assert not dead

    for asset in (*UNDISTURBED, "ahead", "past"):
        scores = {ts: row["score"] for ts, (row, _) in rows[asset].items() if row["readings"] and row["score"]}
        assert scores == expected_scores(sent[asset]), asset
    for asset in UNDISTURBED[:3]:
        ends = {iso(instant): instant for _, instant, _ in sent[asset]}
        delays = [at_ms - ends[ts] for ts, (_, at_ms) in rows[asset].items() if ts in ends]
        assert sorted(delays)[-5] <= IN_TIME_MS  # the last ones may have waited for the end
    assert named >= {"ahead", "past", "future"} and not named & {*UNDISTURBED}
