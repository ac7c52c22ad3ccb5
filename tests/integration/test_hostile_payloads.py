"""A hundred thousand hostile payloads among good readings: the job keeps running, and each payload gets its verdict.

The verdicts are those of the pure reference, `readings.payload`: a message that is not a reading is in a dead letter
with that reason, its partition and its offset; a reading is in a row.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from support.chaos import Watch, records
from support.hostile import bombs, giants, long_members, mutate
from support.small_models import ASSETS, WINDOW, release, sixteenths, write_version

from eugenie_cli.broker.client import bootstrap
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.episodes.records import iso
from eugenie_cli.flink_job.unknown_tags import NAME_LIMIT
from eugenie_cli.operations.status import status
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading
from eugenie_cli.readings.routing import Router
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from eugenie_cli.streaming.submit import submit

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("EUGENIE_CHAOS") != "full", reason="takes minutes: with EUGENIE_CHAOS=full"),
]

HOSTILE = 100_000
GOOD = 20_000
GIANTS = 24
SEED = 1
NAMES = ("a", "b", "c")
LOW, HIGH = -1e6, 1e6

OLD_MS = 60_000
"""Time before the first good reading at which no row is still open."""
FIRST_S = 30
"""Plant time before the first hostile payload."""
MARGIN_MS = 600_000
"""Between the limit and readings from the future: longer than the test takes."""
DELAY_MS = 1_500
"""How far a hostile message may be behind the good ones and still be in time; the stream allows 2 s."""

CUT = 60_000
"""Characters of a payload that a dead letter is sure to keep."""

ROW, BAD = "row", "bad quality"
"""Verdicts in addition to the reasons: a reading of good or bad quality."""


@pytest.fixture(scope="module")
def site(engines) -> Iterator[Site]:
    plant = engines.site(
        "hostile",
        classes={
            "pump": {
                "sensors": [{"name": name, "low": LOW, "high": HIGH} for name in NAMES],
                "model": {"type": "last-value", "window": WINDOW, "horizons": [1]},
            }
        },
        assets={asset: {"class": "pump"} for asset in ASSETS},
        stream={"checkpoint": "1s"},
    )
    write_version(workspace_of(plant).models, "pump", 1, ASSETS, sixteenths)
    release(workspace_of(plant).models, "pump", 1)
    settings = {"max.message.bytes": str(8 * 2**20), "message.timestamp.type": "LogAppendTime"}
    admin = AdminClient(bootstrap(plant))
    topic = NewTopic(str(plant.topics.readings), 1, 1, config=settings)
    admin.create_topics([topic])[topic.topic].result(60)
    local.start(plant)
    yield plant
    local.stop(plant)


@dataclass
class Judge:
    """The reference's verdict on a payload: a reason, ROW or BAD; None if it depends on the time of arrival."""

    site: Site
    begin: int
    """Instant of the first good reading, ms."""
    unknown: Counter[tuple[str | None, ...]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        mapping = self.site.kafka.readings.model_dump(mode="json")
        self._read = compile_payload(mapping, self.site.timezone)
        assets = {asset: {"class": "pump", "tags": {}} for asset in ASSETS}
        self._router = Router(assets, {"pump": NAMES})

    def __call__(self, payload: bytes | None, good_ms: int) -> str | None:
        """`good_ms`: the newest good reading before this message."""
        (outcome,) = self._read(payload)
        identity = outcome[:3] if isinstance(outcome, Reading) else getattr(outcome, "identity", None)
        if identity is not None and self._router.route(*identity) is None:
            self.unknown[identity] += 1
            return reject_reasons.UNKNOWN_TAG
        if not isinstance(outcome, Reading):
            return outcome.reason
        if outcome.ts > time.time() * 1000 + self.site.stream.max_ahead + MARGIN_MS:
            return reject_reasons.FUTURE
        old = outcome.ts <= self.begin - OLD_MS
        if not old and not good_ms - DELAY_MS <= outcome.ts <= good_ms:
            return None
        if old:
            return reject_reasons.LATE
        return ROW if LOW <= outcome.value <= HIGH else BAD


@dataclass(frozen=True)
class Message:
    payload: bytes | None
    verdict: str


def conversation(judge: Judge, rng: random.Random) -> Iterator[Message]:
    """Good readings in time order with hostile messages between them, each with its verdict."""
    late = reading(0, judge.begin - 2 * OLD_MS)
    special = [*bombs(), *long_members(late), *islice(giants(late), GIANTS)]
    rng.shuffle(special)
    for number in range(GOOD):
        now = judge.begin + FIRST_S * 1_000 + number * 1_000 // (len(ASSETS) * len(NAMES))
        good = reading(number, now)
        yield Message(good, ROW)
        for _ in range(HOSTILE // GOOD):
            verdict = None
            while verdict is None:
                payload = special.pop() if special and rng.random() < 0.002 else mutate(rng, good)
                verdict = judge(payload, now)
            yield Message(payload, verdict)
    assert not special, "some special payloads were not sent"


def reading(number: int, now: int) -> bytes:
    asset, sensor = ASSETS[number % 2], NAMES[number // 2 % 3]
    record = {"asset": asset, "sensor": sensor, "ts": iso(now), "value": number % 7 / 4, "quality": "good"}
    return json.dumps(record).encode()


def send(site: Site, outgoing: list[Message]) -> dict[int, Message]:
    """Send the messages; returns offset -> message, as the broker reports."""
    settings = {**bootstrap(site), "enable.idempotence": True, "message.max.bytes": 8 * 2**20, "linger.ms": 20}
    producer = confluent_kafka.Producer({**settings, "queue.buffering.max.kbytes": 400_000})
    where: dict[int, Message] = {}

    def note(message: Message) -> Callable:
        def delivered(error: object, record: confluent_kafka.Message) -> None:
            assert error is None, error
            where[record.offset()] = message

        return delivered

    for message in outgoing:
        producer.produce(str(site.topics.readings), message.payload, on_delivery=note(message))
        producer.poll(0)
    assert producer.flush(120) == 0
    return where


def test_every_hostile_payload_has_the_verdict_of_the_reference(engines, site, tell):
    judge = Judge(site, begin=int(time.time() - 7_200) * 1_000)
    outgoing = list(conversation(judge, random.Random(SEED)))
    before = pids(engines.owner)
    job = submit(site, start="earliest").job_id
    began = time.monotonic()
    with Watch(site) as watch:
        # rows are made before anything old arrives, so that all of it is late
        first = [reading(number, judge.begin + second * 1_000) for second in range(FIRST_S) for number in range(6)]
        where = send(site, [Message(payload, ROW) for payload in first])
        watch.wait_for_rows(1, "rows before the hostile payloads")
    where |= send(site, outgoing)
    stop(site, drain=True)
    took = time.monotonic() - began

    assert FlinkRest(engines.flink).exceptions(job) is None, "the job was restarted"
    assert pids(engines.owner) == before, "an engine was restarted"
    expected = Counter(message.verdict for message in where.values())
    rows, letters = Counter[str](), list(records(site, site.topics.dead_letters))
    for record in records(site, site.topics.scores):
        rows.update({ROW: record["readings"], BAD: record["bad_quality"]})
    assert (rows[ROW], rows[BAD]) == (expected.pop(ROW), expected.pop(BAD))
    dead = Counter()
    for letter in letters:
        dead[letter["reason"]] += letter.get("count", 1)
    assert dead == expected
    check_places(site, where, letters)
    check_unknown(judge, letters)
    letters = ", ".join(f"{count:,} {reason}" for reason, count in sorted(dead.items()))
    tell(f"{len(where):,} messages in {took:.0f} s: {rows[ROW]:,} in rows, {rows[BAD]:,} of bad quality, {letters}")


def check_places(site: Site, where: dict[int, Message], letters: list[dict]) -> None:
    """Every message that is not a reading has one letter, with its reason and position."""
    by_offset = {letter["offset"]: letter for letter in letters if letter["reason"] != reject_reasons.UNKNOWN_TAG}
    expected = {
        offset: message
        for offset, message in where.items()
        if message.verdict not in (ROW, BAD, reject_reasons.UNKNOWN_TAG)
    }
    wrong = [
        f"{offset}: {expected.get(offset)} but {by_offset.get(offset)}"[:600]
        for offset in sorted(by_offset.keys() | expected.keys())
        if offset not in by_offset or offset not in expected or by_offset[offset]["reason"] != expected[offset].verdict
    ]
    assert not wrong, "\n".join([f"{len(wrong)} verdicts differ", *wrong[:10]])
    for offset, letter in by_offset.items():
        assert (letter["topic"], letter["partition"], letter.get("count", 1)) == (site.topics.readings, 0, 1)
        if letter["reason"] == reject_reasons.LATE:  # it has the reading itself
            assert json.loads(letter["payload"]).keys() == {"asset", "sensor", "ts", "value"}
            continue
        sent = expected[offset].payload
        kept = None if sent is None else sent.decode("utf-8", "backslashreplace")
        assert letter["payload"] == kept or (kept and len(kept) > CUT and kept.startswith(letter["payload"]))


def check_unknown(judge: Judge, letters: list[dict]) -> None:
    """Unknown tags are counted by name or, if they are many, by a prefix."""
    counted: Counter[str] = Counter()
    grouped = 0
    for letter in letters:
        if letter["reason"] == reject_reasons.UNKNOWN_TAG and "tags" in letter:
            grouped += letter["count"]
        elif letter["reason"] == reject_reasons.UNKNOWN_TAG:
            counted[letter["payload"]] += letter.get("count", 1)
    expected: Counter[str] = Counter()
    for names, count in judge.unknown.items():
        kept = (None if text is None else text[:NAME_LIMIT] for text in names)
        named = {name: text for name, text in zip(("asset", "sensor", "tag"), kept, strict=True) if text is not None}
        expected[json.dumps(named, ensure_ascii=False)] += count
    assert counted <= expected and (expected - counted).total() == grouped


def pids(owner: Site) -> dict[str, int | None]:
    return {engine.name: engine.pid for engine in status(owner)}
