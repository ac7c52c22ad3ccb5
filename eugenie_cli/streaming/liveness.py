"""Whether the stream is alive. An empty list of anomalies is good news only while rows are being scored.

`judge` is pure: from the last answers of Kafka, Flink and the model server, and the clock, it derives a level, a
sentence and the next step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from eugenie_cli.anomalies.last_rows import Row
from eugenie_cli.engines import endpoints
from eugenie_cli.engines.flink_rest import ALIVE
from eugenie_cli.site.schema import EquipmentClass, Site

OK, LATE, DOWN, UNKNOWN = "ok", "late", "down", "unknown"
"""Green: rows are scored. Yellow: some or all are not. Red: they cannot be. UNKNOWN: nothing has been checked yet."""

SUBMIT = "eugenie stream submit"
SLACK_MS = 5_000
"""Allowance for a busy machine: between plant and Kafka, a row waits for batches, calls and commits."""
CHECKED_WITHIN_MS = 30_000
"""When the last check is older, the checker itself hangs: then nothing is green."""
NAMED = 3
"""How many silent assets a message names."""


@dataclass(frozen=True)
class Trouble:
    """One problem. `kind` stays the same while it lasts; `what` may count seconds."""

    kind: str
    level: str
    what: str
    next: str
    expected: bool = False
    """Whether this state is intended: the job was stopped, or never submitted."""


@dataclass(frozen=True)
class Liveness:
    """Whether anomalies would be detected now. `sign` describes the last scored row."""

    level: str
    sign: str
    troubles: tuple[Trouble, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The sign, then each trouble with the next step."""
        return self.sign, *(f"{trouble.what}; next: {trouble.next}" for trouble in self.troubles)


@dataclass(frozen=True)
class Facts:
    """The last answers, as of `at_ms`. Instants are ms since 1970 UTC."""

    at_ms: int
    contact_ms: int | None
    """When Kafka last answered; None: not since this process started."""
    kafka: str = ""
    """Why Kafka does not answer; empty when it does."""
    has_topic: bool = True
    job: str | None = "RUNNING"
    """The job's state in Flink; None: Flink does not answer."""
    flink: str = ""
    """Why Flink does not answer; empty when it does."""
    should_run: bool = True
    """Whether the job was submitted and not stopped since."""
    server: str = ""
    """Why the model server does not answer; empty when it does."""
    scored: Mapping[str, Row] = field(default_factory=dict)
    arrived_ms: int | None = None


def limit_ms(site: Site, equipment: EquipmentClass) -> int:
    """How old the last scored row of a class may be: its silence, plus the delays up to the score record."""
    stream = site.stream
    commit = 2 * stream.checkpoint if stream.delivery == "exactly-once" else 0
    return equipment.silence_ms + equipment.step + stream.out_of_orderness + commit + SLACK_MS


def judge(site: Site, facts: Facts | None, now_ms: int, assets: Collection[str] = ()) -> Liveness:
    """The liveness of a site, or of some of its assets, at `now_ms`."""
    if facts is None:
        return Liveness(UNKNOWN, "checking")
    watched = [name for name in site.assets if not assets or name in assets]
    scored = {name: facts.scored[name] for name in watched if name in facts.scored}
    fresh = any(now_ms - row.arrived_ms <= _limit_of(site, asset) for asset, row in scored.items())
    troubles = [
        *_unchecked(facts, now_ms),
        *_kafka(site, facts),
        *_job(site, facts, fresh),
        *_server(site, facts),
        *_rows(site, facts, watched, scored, now_ms),
    ]
    levels = {trouble.level for trouble in troubles}
    level = DOWN if DOWN in levels else LATE if levels else OK
    sign = _sign(site.timezone, facts, scored, now_ms)
    return Liveness(level, sign, tuple(sorted(troubles, key=lambda trouble: trouble.level != DOWN)))


def ago(milliseconds: int) -> str:
    """`3 s ago`, `12 min ago`, `5 h ago`, `4 d ago`."""
    seconds = max(milliseconds, 0) // 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // (60 if unit == 'min' else size)} {unit} ago"
    return f"{seconds} s ago"


def _limit_of(site: Site, asset: str) -> int:
    return limit_ms(site, site.classes[site.assets[asset].class_name])


def _unchecked(facts: Facts, now_ms: int) -> list[Trouble]:
    if now_ms - facts.at_ms <= CHECKED_WITHIN_MS:
        return []
    what = f"the last check finished {ago(now_ms - facts.at_ms)}: checking hangs"
    return [Trouble("unchecked", DOWN, what, "stop this command with Ctrl-C and start it again")]


def _kafka(site: Site, facts: Facts) -> list[Trouble]:
    own = site.kafka.bootstrap == endpoints.EMBEDDED
    next_step = "eugenie up" if own else "check the brokers, and kafka: in the site file"
    if facts.kafka:
        since = "" if facts.contact_ms is None else f" since {_clock(site.timezone, facts.contact_ms, facts.at_ms)}"
        return [Trouble("kafka", DOWN, f"no contact with Kafka{since} ({facts.kafka})", next_step)]
    if not facts.has_topic:
        return [Trouble("topic", DOWN, f"Kafka has no topic {site.topics.scores}", SUBMIT, not facts.should_run)]
    return []


def _job(site: Site, facts: Facts, fresh: bool) -> list[Trouble]:
    if facts.job == "RUNNING":
        return []
    if facts.job is None:
        own = site.stream.flink == endpoints.EMBEDDED
        next_step = "eugenie up" if own else "check the cluster, and stream.flink in the site file"
        level = LATE if fresh else DOWN  # rows arrive, so a job is running somewhere
        return [
            Trouble(
                "flink",
                level,
                f"cannot tell whether the stream job is RUNNING: {facts.flink}",
                next_step,
                not facts.should_run,
            )
        ]
    next_step = "eugenie stream status" if facts.job in ALIVE else SUBMIT
    return [Trouble(f"job {facts.job}", DOWN, f"stream job not RUNNING: {facts.job}", next_step, not facts.should_run)]


def _server(site: Site, facts: Facts) -> list[Trouble]:
    if not facts.server or facts.job != "RUNNING":
        return []
    own = site.serving.address is None
    next_step = "eugenie serve start" if own else "check the server, and serving.address in the site file"
    return [Trouble("server", LATE, f"no rows are scored without the model server: {facts.server}", next_step)]


def _rows(site: Site, facts: Facts, watched: Collection[str], scored: Mapping[str, Row], now_ms: int) -> list[Trouble]:
    if facts.kafka or not facts.has_topic:
        return []
    check_status, troubles = "eugenie stream status", []
    for name in dict.fromkeys(site.assets[asset].class_name for asset in watched):
        rows_of_class = {asset: row for asset, row in scored.items() if site.assets[asset].class_name == name}
        limit = limit_ms(site, site.classes[name])
        if not rows_of_class:
            why = "; rows arrive without a score: windows are filling, or values are missing"
            what = f"no scored row of {name} found{why if _arrives(facts, now_ms) else ''}"
            troubles.append(Trouble(f"never {name}", LATE, what, check_status))
            continue
        newest = max(row.arrived_ms for row in rows_of_class.values())
        silent = sorted(asset for asset, row in rows_of_class.items() if now_ms - row.arrived_ms > limit)
        if now_ms - newest > limit:
            what = f"no row of {name} scored for {ago(now_ms - newest).removesuffix(' ago')}"
            troubles.append(Trouble(f"rows {name}", LATE, what, check_status))
        elif silent:
            more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
            what = f"no scored row for more than {limit // 1000} s of {', '.join(silent[:NAMED])}{more}"
            troubles.append(Trouble(f"silent {' '.join(silent)}", LATE, what, "check whether its readings arrive"))
    return troubles


def _arrives(facts: Facts, now_ms: int) -> bool:
    return facts.arrived_ms is not None and now_ms - facts.arrived_ms < CHECKED_WITHIN_MS


def _sign(timezone: str, facts: Facts, scored: Mapping[str, Row], now_ms: int) -> str:
    if not scored:
        return "no scored row"
    last = max(scored.values(), key=lambda row: row.arrived_ms)
    job = f"; job {facts.job}" if facts.job is not None else ""
    return f"last row scored {ago(now_ms - last.arrived_ms)} (of {_clock(timezone, last.ts_ms, now_ms)}){job}"


def _clock(timezone: str, instant_ms: int, now_ms: int) -> str:
    """The time in the site's time zone, with the date unless it is today's."""
    where = ZoneInfo(timezone)
    instant, today = datetime.fromtimestamp(instant_ms / 1000, where), datetime.fromtimestamp(now_ms / 1000, where)
    return f"{instant:%H:%M:%S}" if instant.date() == today.date() else f"{instant:%Y-%m-%d %H:%M:%S}"
