"""What happens on plants: a line for each condition that the core of the stream shows, run by `test_field_conditions`.

Every condition is about the asset p0 (`ODD`) unless it names others. All readings are accounted for, and the scores and
anomalies of the other assets are those of an undisturbed run, in time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from eugenie_cli.flink_job.spec import JobSpec
from support.field_plant import (
    ASSETS,
    BAD,
    ODD,
    PARTITIONS,
    PROMPT_MS,
    PUMP,
    SECONDS,
    START,
    Gateway,
    Outcome,
    Plant,
    asset_spec,
    home,
)
from support.gateway_formats import FORMATS
from support.stream_in_memory import CHECKPOINT_MS, StreamInMemory

HOUR, DAY = 3_600_000, 86_400_000
Y1970, Y2000, Y2099 = 60_000 - START, 946_684_800_000 - START, 4_070_908_800_000 - START
ALL = 2 * SECONDS
"""Readings of an asset."""

Count = int | range


@dataclass(frozen=True)
class Expected:
    """The outcome of a condition. `dead`: readings in dead letters, by owner and reason."""

    dead: Mapping[tuple[str, str], Count] = field(default_factory=dict)
    odd: tuple[str, ...] = (ODD,)
    """The assets whose scores may be others."""
    same: int | None = None
    """The scores of the odd assets are the undisturbed ones, too, at instants that lie so much (ms) ahead."""
    is_delayed: bool = False
    """Rows of the odd assets are marked as delayed."""
    prompt_ms: int | None = PROMPT_MS
    """How long after its edge a row of the others is written at most; None: it waits for something else."""
    said: str = ""
    """What `stream status` says about the odd asset."""
    ignored: int = 0
    repeated: Count = 0
    conflicts: Count = 0
    also: Callable[[Outcome], None] | None = None


@dataclass(frozen=True)
class Condition:
    """`happens` changes the plant; `does` says what the stream does, for users."""

    group: str
    name: str
    does: str
    happens: Callable[[Plant], None]
    expected: Expected


def clock(ahead_ms: int, **more: object) -> Callable[[Plant], None]:
    return lambda plant: plant.odd(clock=lambda second: ahead_ms, **more)


def steps(*parts: tuple[int, int]) -> Callable[[int], int]:
    """A clock that is set: (from second, ms ahead) each."""
    return lambda second: [ahead for begin, ahead in parts if begin <= second][-1]


def odd(**changes: object) -> Callable[[Plant], None]:
    return lambda plant: plant.odd(**changes)


def every(period: int, phase: int = 0) -> Callable[[int], bool]:
    return lambda second: second % period == phase


def without(begin: int, end: int) -> Callable[[int], bool]:
    return lambda second: not begin <= second < end


def dst(plant: Plant) -> None:
    """Its first 45 seconds are the end of the hour that occurs twice."""
    plant.speak("local times and decimal commas")
    ahead = 1_761_443_955_000 - START  # 2025-10-26T01:59:15Z, 02:59:15 in Berlin
    plant.odd(clock=lambda second: ahead)


def machine(second: int, ahead_ms: int) -> Callable[[Plant], None]:
    return lambda plant: plant.at(second, lambda stream: setattr(stream, "machine_ms", ahead_ms))


CLOCKS = (
    ("20 s ahead", "scores its rows at the instants that it sends", clock(20_000),
     Expected(same=20_000, said="its clock is 20 s ahead")),
    ("50 s ahead", "the same, up to `stream.max_ahead`", clock(50_000), Expected(same=50_000, said="50 s ahead")),
    ("3 h ahead", "refuses its readings: `future`", clock(3 * HOUR),
     Expected(dead={(ODD, "future"): ALL}, said="refused, up to 3 h ahead")),
    ("in 2099", "refuses its readings: `future`", clock(Y2099), Expected(dead={(ODD, "future"): ALL}, said="refused")),
    ("in 2099, and so are its records (`CreateTime`)", "the same: the machine's clock counts, too",
     clock(Y2099, stamp=lambda at: at + Y2099), Expected(dead={(ODD, "future"): ALL}, said="refused")),
    ("that sends a single second of 2099", "refuses that one; all others are scored",
     odd(clock=lambda second: Y2099 if second == 40 else 0), Expected(dead={(ODD, "future"): 2})),
    ("that leaps 30 s ahead for a moment", "scores that row, too; the clock does not follow, nothing is late",
     odd(clock=lambda second: 30_000 if second == 20 else 0), Expected(conflicts=range(3))),
    ("in 2000", "scores its rows in 2000", clock(Y2000), Expected(same=Y2000, said="26 years behind")),
    ("in 1970", "scores its rows in 1970", clock(Y1970), Expected(same=Y1970, said="56 years behind")),
    ("a day behind", "scores its rows of yesterday", clock(-DAY), Expected(same=-DAY, said="24 h behind")),
    ("that drifts by 1 %", "scores its rows at the instants that it sends", odd(clock=lambda second: -10 * second),
     Expected()),
    ("that is set back by 30 s", "readings are `late` until it has caught up",
     odd(clock=steps((0, 30_000), (45, 0))),
     Expected(dead={(ODD, "late"): range(50, 65)}, said="late", repeated=range(3), conflicts=range(3))),
    ("that is set right after a start in 2000", "both parts are scored, with a gap between them",
     odd(clock=steps((0, Y2000), (45, 0))), Expected()),
    ("in local time that occurs twice, when clocks are set back", "refuses its readings: `bad-timestamp`",
     dst, Expected(dead={(ODD, "bad-timestamp"): 90})),
    ("that stands still", "takes what comes until that row is made; then `late`",
     odd(clock=lambda second: -1_000 * second),
     Expected(dead={(ODD, "late"): range(30, 90)}, repeated=range(1, 60), conflicts=range(1, 150))),
    ("whose records have no timestamp", "the machine's clock counts", clock(0, stamp=lambda at: -1), Expected(same=0)),
    ("whose records are of 1970 (`CreateTime`)", "the machine's clock counts", clock(0, stamp=lambda at: 60_000),
     Expected(same=0)),
    ("right, but that of the job's machine is 50 s behind", "scores everything", machine(0, -50_000), Expected(same=0)),
    ("right, but that of the job's machine is set back by 50 s", "scores everything; rows of silent assets wait",
     machine(40, -50_000), Expected(same=0)),
    ("right, but that of the job's machine is a day ahead", "scores everything", machine(52, DAY), Expected(same=0)),
)  # fmt: skip


def agents(plant: Plant) -> None:
    for index, name in enumerate(plant.gateways):
        plant.gateways[name] = replace(plant.gateways[name], sends=every(10, 5 * (index % 2)))


def split(behind_s: int) -> Callable[[Plant], None]:
    def happens(plant: Plant) -> None:
        plant.odd(sensors=("a",))
        plant.add(Gateway(ODD, sensors=("b",), delay_ms=1_000 * behind_s))
        plant.after_s += behind_s

    return happens


def on_change(plant: Plant) -> None:
    plant.odd(measures=every(7))


def repeats(plant: Plant) -> None:
    """Live readings of one sensor; the other is polled, but has not changed for a while."""
    plant.odd(sensors=("a",))
    plant.add(Gateway(ODD, sensors=("b",), changes_s=20))


def two(plant: Plant) -> None:
    plant.add(Gateway(ODD, plus=-1.0, owner=f"{ODD} (second)"))


def plant_offline(plant: Plant) -> None:
    plant.all(sends=without(6, 70))


def shuffled(second: int) -> int:
    return -500 * (second % 3)


def fast(plant: Plant) -> None:
    for tenth in range(1, 10):
        plant.add(Gateway(ODD, clock=lambda second, ms=100 * tenth: ms, owner=f"{ODD} (at .{tenth} s)"))  # type: ignore[misc]


SENDING = (
    ("that flushes every 10 s, as all others do, half of them 5 s later", "scores everything; nothing is late",
     agents, Expected(odd=tuple(ASSETS), same=0)),
    ("that flushes every 25 s", "scores everything", odd(sends=every(25)), Expected(same=0)),
    ("that flushes every minute", "scores everything", odd(sends=every(60)), Expected(same=0)),
    ("that falls silent", "makes the rows of its last readings after the hold; `status` names it",
     odd(measures=lambda second: second < 8), Expected()),
    ("that pauses for 20 s", "scores both parts; the windows bridge `max_gap` only",
     odd(measures=without(40, 60)), Expected()),
    ("that was offline and sends what it stored, oldest first", "scores all of it, marked as `delayed`",
     odd(sends=without(6, 74)), Expected(same=0, is_delayed=True)),
    ("that was offline and sends what it stored after current readings",
     "what it stored is `late`, and complete in the dead letters",
     odd(sends=without(10, 60), backfills=True), Expected(dead={(ODD, "late"): range(90, 101)}, said="late")),
    ("with a sensor that comes 8 s later by another way", "waits for it, once it has learnt that",
     split(8), Expected(dead={(ODD, "late"): range(1, 12)})),
    ("with a sensor that comes a minute later by another way", "the sensor's readings are `late`",
     split(61), Expected(dead={(ODD, "late"): range(50, 91)})),
    ("that reports changes only", "carries values on for `max_gap`", on_change, Expected()),
    ("that repeats unchanged values with the instant of their change", "takes the first; repeats are counted",
     repeats, Expected(repeated=range(50, 75))),
    ("that sends everything twice (QoS 1)", "counts both, and scores as if it were once",
     odd(copies=2), Expected()),
    ("beside a second gateway that sends the same tags with other values", "the larger value counts; `conflicts`",
     two, Expected(conflicts=ALL - len(BAD))),
    ("that sends readings out of order, within `out_of_orderness`", "scores everything",
     odd(clock=shuffled), Expected()),
    ("that measures ten times a second", "takes the last value of each step, counts all", fast, Expected()),
    ("that is offline with all others: no way to the broker", "scores everything, marked as `delayed`",
     plant_offline, Expected(odd=tuple(ASSETS), same=0, is_delayed=True)),
)  # fmt: skip


def keyless(plant: Plant) -> None:
    for index, name in enumerate(plant.gateways):
        own = partial(lambda index, second, sensor: (second * 7 + ord(sensor) + index) % PARTITIONS, index)
        plant.gateways[name] = replace(plant.gateways[name], partition=own)


def by_tag(plant: Plant) -> None:
    for name in plant.gateways:
        plant.gateways[name] = replace(plant.gateways[name], partition=lambda second, sensor: ord(sensor) % PARTITIONS)


def one_only(plant: Plant) -> None:
    plant.all(partition=lambda second, sensor: 0)


def added(second: int, sensor: str) -> int:
    """A partition in which there is nothing else."""
    return PARTITIONS


def moves(second: int, sensor: str) -> int:
    return PARTITIONS if second >= 40 else home(ODD)


def down(begin: int, end: int, **changes: object) -> Callable[[Plant], None]:
    """The job is stopped with a savepoint, and the next one started."""

    def happens(plant: Plant) -> None:
        plant.at(begin, lambda stream: (stream.checkpoint(), stream.kill()))
        plant.at(end, lambda stream: stream.start(replace(stream.spec, **changes)))

    return happens


def both(*conditions: Callable[[Plant], None]) -> Callable[[Plant], None]:
    return lambda plant: [happens(plant) for happens in conditions]


def widen(parallelism: int) -> Callable[[Plant], None]:
    return lambda plant: plant.job(parallelism=parallelism)


def eight(plant: Plant) -> None:
    plant.job(shards=8)


PARTITIONED = (
    ("whose readings have no key and are spread over all partitions, as those of all", "scores everything",
     keyless, Expected(odd=tuple(ASSETS), same=0)),
    ("whose sensors are in different partitions (the key is the tag), as those of all", "scores everything",
     by_tag, Expected(odd=tuple(ASSETS), same=0)),
    ("without a key, while the job was down: the partitions are read one after the other", "scores everything",
     both(keyless, down(15, 65)), Expected(odd=tuple(ASSETS), same=0, prompt_ms=None)),
    ("while all readings are in one of three partitions", "idle partitions hold nobody after `idle_timeout`",
     one_only, Expected(odd=tuple(ASSETS), same=0, prompt_ms=None)),
    ("while all readings are in one of three partitions, at parallelism 2", "the same",
     both(one_only, widen(2)), Expected(odd=tuple(ASSETS), same=0, prompt_ms=None)),
    ("alone in its partition and silent for a minute", "its partition holds nobody",
     both(odd(partition=added, measures=without(10, 70)), lambda plant: plant.job(partitions=PARTITIONS + 1)),
     Expected()),
    ("that moves to another partition, as a partition is added", "scores everything",
     odd(partition=moves), Expected(same=0)),
    ("that moves to another partition, at parallelism 2", "scores everything",
     both(odd(partition=moves), widen(2)), Expected(same=0)),
    ("at parallelism 3 with eight shards", "scores everything", both(widen(3), eight), Expected(same=0)),
    ("at parallelism 8 with three partitions", "source tasks without a partition hold nobody",
     both(widen(8), eight), Expected(same=0)),
)  # fmt: skip


def killed(*seconds: int) -> Callable[[Plant], None]:
    def happens(plant: Plant) -> None:
        for second in seconds:
            plant.at(second, lambda stream: (stream.kill(), stream.start()))

    return happens


def model_away(begin: int, end: int) -> Callable[[Plant], None]:
    return lambda plant: plant.at(begin, lambda stream: setattr(stream, "model_away_until", START + 1_000 * end))


def drained(begin: int, end: int) -> Callable[[Plant], None]:
    """A drain of a live topic, and a new job, which begins where the topic had been read."""

    def resume(stream: StreamInMemory) -> None:
        made: dict[str, int] = {}
        for kind, key, record, _ in stream.results:
            if kind == "score":
                made[key] = max(made.get(key, 0), _instant(record["ts"]))
        stream.start(replace(stream.spec, made_until=made))

    def happens(plant: Plant) -> None:
        plant.at(begin, lambda stream: stream.drain())
        plant.at(end, resume)

    return happens


def _instant(text: str) -> int:
    from support.field_plant import _ms

    return _ms(text)


KILLED_MS = PROMPT_MS + CHECKPOINT_MS
"""Rows that were not committed are written again."""


def frozen(begin: int, end: int) -> Callable[[Plant], None]:
    return lambda plant: plant.at(begin, lambda stream: setattr(stream, "frozen_until", START + 1_000 * end))


def frozen_long(plant: Plant) -> None:
    """For longer than a silence of the whole plant lasts, while p2 has an anomaly open: then all is read at once."""
    plant.job(silent_plant_ms=15_000)
    frozen(52, 72)(plant)


RESTARTS = (
    ("whose job is killed", "resumes from the last checkpoint: every row once", killed(33),
     Expected(same=0, prompt_ms=KILLED_MS)),
    ("whose job is killed before its first checkpoint", "begins again at the same offsets",
     killed(3), Expected(same=0)),
    ("whose job is killed every 7 s", "resumes each time", killed(*range(7, SECONDS, 7)),
     Expected(same=0, prompt_ms=2 * KILLED_MS)),
    ("whose job is killed while its clock is 20 s ahead", "resumes with its clock",
     both(clock(20_000), killed(33, 60)), Expected(same=20_000, prompt_ms=KILLED_MS)),
    ("whose job is killed while it sends what it stored", "resumes; rows stay marked",
     both(odd(sends=without(6, 70)), killed(71, 73)),
     Expected(same=0, is_delayed=True, prompt_ms=KILLED_MS)),
    ("whose job is upgraded with a savepoint", "scores everything", down(40, 41), Expected(same=0)),
    ("whose job is down for 40 s", "reads what waits in Kafka, with its own windows", down(30, 70),
     Expected(same=0, prompt_ms=None)),
    ("whose job is rescaled from 1 to 2", "scores everything",
     down(40, 44, parallelism=2), Expected(same=0, prompt_ms=None)),
    ("whose job is rescaled from 2 to 8 and killed", "scores everything",
     both(widen(2), eight, down(40, 44, parallelism=8), killed(50)), Expected(same=0, prompt_ms=None)),
    ("while the model server is away for 40 s", "waits; readings stay in Kafka, nothing is late", model_away(30, 70),
     Expected(same=0, prompt_ms=None)),
    ("whose job's machine stands still for 20 s (suspended, migrated), longer than a silence of the plant",
     "continues; nothing is late, no anomaly is closed", frozen_long, Expected(same=0, prompt_ms=None)),
    ("on a topic that is drained while it sends, with the next job at once",
     "no row is written twice; the readings of rows that the drain made are `late`",
     drained(40, 42), Expected(odd=tuple(ASSETS), dead={(name, "late"): range(1, 13) for name in ASSETS})),
)  # fmt: skip


def sited(second: int, **changes: Callable[[JobSpec], object]) -> Callable[[Plant], None]:
    """Upgrade to another site file. `changes`: members of the specification, each from the one before."""

    def upgrade(stream: StreamInMemory) -> None:
        stream.checkpoint()
        stream.kill()
        stream.start(replace(stream.spec, **{name: of(stream.spec) for name, of in changes.items()}))

    return lambda plant: plant.at(second, upgrade)


def less(*names: str) -> Callable[[JobSpec], object]:
    return lambda spec: tuple(asset for asset in spec.assets if asset.name not in names)


def renamed(old: str, new: str, kind: str = "pump") -> Callable[[JobSpec], object]:
    return lambda spec: tuple(asset_spec(new, kind) if asset.name == old else asset for asset in spec.assets)


def closes_removed(asset: str) -> Callable[[Outcome], None]:
    def check(outcome: Outcome) -> None:
        last = outcome.anomalies[asset][-1]
        assert (last["state"], last["reason"]) == ("closed", "removed")

    return check


BOOSTER = replace(PUMP, name="booster", model="booster")
TIGHT = replace(PUMP, high=(0.5, None))

CHANGES = (
    ("that leaves the site file", "what waits for its row, and what comes later, is `unknown-tag`",
     sited(45, assets=less(ODD)), Expected(dead={(ODD, "unknown-tag"): range(66, 71)})),
    ("that leaves the site file with an anomaly open (p2)", "closes it with the reason `removed`",
     sited(48, assets=less("p2")),
     Expected(odd=("p2",), dead={("p2", "unknown-tag"): range(60, 65)}, also=closes_removed("p2"))),
    ("that leaves the site file, at 1 shard", "the same",
     both(lambda plant: plant.job(shards=1), sited(45, assets=less(ODD))),
     Expected(dead={(ODD, "unknown-tag"): range(66, 71)})),
    ("that leaves the site file as the job is rescaled from 2 to 1", "the same",
     both(widen(2), sited(45, assets=less(ODD), parallelism=lambda spec: 1)),
     Expected(dead={(ODD, "unknown-tag"): range(66, 71)})),
    ("that is new", "scores it from its first reading",
     both(lambda plant: plant.job(assets=less(ODD)(plant.spec)), odd(measures=lambda second: second >= 45),
          sited(44, assets=lambda spec: (*spec.assets, asset_spec(ODD, "pump")))), Expected()),
    ("that is new, and sent before the site file had it", "earlier readings were `unknown-tag`",
     both(lambda plant: plant.job(assets=less(ODD)(plant.spec)),
          sited(44, assets=lambda spec: (*spec.assets, asset_spec(ODD, "pump")))),
     Expected(dead={(ODD, "unknown-tag"): 86})),
    ("that is renamed", "ends the old one, begins the new one",
     both(odd(name=lambda second: "p9" if second >= 45 else ODD), sited(45, assets=renamed(ODD, "p9"))),
     Expected(odd=(ODD, "p9"), dead={(ODD, "unknown-tag"): range(2, 10)})),
    ("that moves to another class", "begins anew in it",
     sited(45, classes=lambda spec: (*spec.classes, BOOSTER),
           assets=lambda spec: tuple(replace(a, class_name="booster") if a.name == ODD else a for a in spec.assets)),
     Expected(dead={(ODD, "unknown-tag"): range(2, 10)})),
    ("whose class (of fans) is removed", "ends it; the class of pumps goes on",
     sited(45, classes=lambda spec: (PUMP,), assets=less("f0")),
     Expected(odd=("f0",), dead={("f0", "unknown-tag"): range(66, 71)})),
    ("whose limits are narrowed", "values outside are of bad quality, for all of the class",
     sited(45, classes=lambda spec: (TIGHT, *spec.classes[1:])), Expected(odd=("p0", "p1", "p2", "p3"))),
)  # fmt: skip


def strangers(count: int, seconds: int) -> Callable[[Plant], None]:
    def happens(plant: Plant) -> None:
        names = [(f"WEST.AREA{number // 50}", f"TAG{number}") for number in range(count)]
        payloads = [
            json.dumps({"asset": asset, "sensor": tag, "ts": "2026-01-01T00:00:00Z", "value": 1}).encode()
            for asset, tag in names
        ]
        for second in range(10, 10 + seconds):
            plant.stray("stranger", payloads, second, every_ms=1)

    return happens


def few_letters(outcome: Outcome) -> None:
    assert sum(letter["reason"] == "unknown-tag" for letter in outcome.letters) <= 2 * 200


def replayed(plant: Plant) -> None:
    """A colleague sends readings of p1 of a year ago to the plant's topic."""
    plant.add(Gateway("p1", clock=lambda second: -365 * DAY, owner="p1 (replay)", measures=lambda second: second >= 20))


BROKEN: tuple[bytes | None, ...] = (
    b"{", b"", None, b"[1, 2]", b'"text"', b"\xff\xfe", b"{}", b"[]", b'{"asset": "p1"}',
    b'{"asset": "p1", "sensor": "a", "ts": "yesterday", "value": 1}',
    b'{"asset": "p1", "sensor": "a", "ts": "2026-01-01T00:00:05Z", "value": "much"}',
    b'{"asset": "p1", "sensor": "a", "ts": "2026-01-01T00:00:05Z", "value": 1, "quality": "perhaps"}',
    b'{"asset": "p1", "sensor": "a", "value": 1}', b'{"note": "' + b"x" * 1_100_000 + b'"}',
    b"[" * 5_000, b'{"a":' * 5_000,
)  # fmt: skip


def mirrored(plant: Plant) -> None:
    """A mirror of the topic has been restarted, and sends 20 s of all readings again."""
    for name, gateway in list(plant.gateways.items()):
        again = replace(gateway, delay_ms=30_000, measures=lambda second: 10 <= second < 30, owner=f"{name} (again)")
        plant.add(again)


PEOPLE = (
    ("while another plant's 1,000 tags are on the topic", "`unknown-tag`, grouped by prefix: few letters, each counted",
     strangers(1_000, 5), Expected(odd=(), dead={("stranger", "unknown-tag"): 5_000}, also=few_letters)),
    ("while another plant's tags are on the topic, with `unknown: ignore`", "only counts them",
     both(strangers(500, 4), lambda plant: plant.job(unknown="ignore")), Expected(odd=(), ignored=2_000)),
    ("while a script sends broken messages", "each has its reason in the dead letters",
     lambda plant: plant.stray("script", BROKEN, 20),
     Expected(odd=(), dead={("script", "bad-json"): 9, ("script", "missing-field"): 3, ("script", "bad-timestamp"): 1,
                        ("script", "bad-value"): 2, ("script", "too-large"): 1})),
    ("while a colleague replays readings of p1 of last year", "they are `late`; live readings are scored",
     replayed, Expected(odd=(), dead={("p1 (replay)", "late"): 2 * (SECONDS - 20)})),
    ("while a mirror of the topic sends 20 s of all readings again", "they are `late`, or repeat pending ones",
     mirrored, Expected(dead={(f"{name} (again)", "late"): 40 for name in ASSETS})),
    ("while everything happens at once: 20 s ahead, 2000, 2099 and silence", "each affects its own asset only",
     lambda plant: (plant.odd(clock=lambda second: 20_000),
                    plant.gateways.__setitem__("p1", replace(plant.gateways["p1"], clock=lambda second: Y2000)),
                    plant.gateways.__setitem__("p2", replace(plant.gateways["p2"], clock=lambda second: Y2099)),
                    plant.gateways.__setitem__("p3", replace(plant.gateways["p3"], measures=lambda s: s < 30)))[0],
     Expected(odd=("p0", "p1", "p2", "p3"), dead={("p2", "future"): ALL})),
)  # fmt: skip


def spoken(name: str) -> Callable[[Plant], None]:
    return lambda plant: plant.speak(name)


FORMATTED = tuple(
    (name, "reads values and qualities as sent", spoken(name), Expected(odd=tuple(ASSETS), same=0))
    for name in FORMATS
    if name != "canonical"
)

GROUPS = {
    "A clock": CLOCKS,
    "An asset": SENDING,
    "An asset in partitions": PARTITIONED,
    "An asset through restarts": RESTARTS,
    "An asset as the site file changes": CHANGES,
    "An asset among others' messages": PEOPLE,
    "A plant that speaks": FORMATTED,
}
CONDITIONS = {
    f"{group}: {name}": Condition(group, name, does, happens, expected)
    for group, lines in GROUPS.items()
    for name, does, happens, expected in lines
}
