"""Compare what was detected with what was injected, and account for every reading. Sees records, no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eugenie_cli.demo.plant.faults import Fault
from eugenie_cli.episodes.records import iso
from eugenie_cli.site.field_types import parse_instant, to_ms

NAMED = 3  # an operator looks at the first three sensors that an anomaly names
GRACE_MS = 20 * 60_000  # a repaired machine cools down, and the model's window still holds the fault


@dataclass(frozen=True)
class Verdict:
    """One injected fault and the first anomaly of its asset while it lasted; ISO 8601, null where missed."""

    kind: str
    asset: str
    injected: str
    detected: str | None
    delay_s: float | None
    sensors: tuple[str, ...]
    right: bool


@dataclass(frozen=True)
class Ledger:
    """Where the readings went: sent = in_rows + bad_quality + dead_letters, or the books do not balance."""

    sent: int
    in_rows: int
    bad_quality: int
    dead_letters: int
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def balanced(self) -> bool:
        return self.sent == self.in_rows + self.bad_quality + self.dead_letters


def judge(
    anomalies: Iterable[Mapping[str, Any]], faults: Iterable[Fault]
) -> tuple[list[Verdict], list[Mapping[str, Any]]]:
    """Verdicts in order of injection, and the anomalies that belong to no fault: the false alarms.

    An anomaly belongs to a fault when it opened on the same asset from the onset to GRACE_MS after the end.
    """
    opened = {record["id"]: record for record in anomalies if record["state"] == "open"}
    left = sorted(opened.values(), key=lambda record: str(record["detected"]))
    verdicts = []
    for fault in sorted(faults, key=lambda fault: fault.onset):
        mine = [record for record in left if _belongs(record, fault)]
        left = [record for record in left if record not in mine]
        verdicts.append(_verdict(fault, mine[0] if mine else None))
    return verdicts, left


def account(sent: int, scores: Iterable[Mapping[str, Any]], dead_letters: Iterable[Mapping[str, Any]]) -> Ledger:
    """Sum the score records' counts and the dead letters, of which some stand for several readings."""
    in_rows = bad = 0
    for record in scores:
        in_rows += record["readings"]
        bad += record["bad_quality"]
    reasons: Counter[str] = Counter()
    for letter in dead_letters:
        reasons[letter["reason"]] += letter.get("count", 1)
    return Ledger(sent, in_rows, bad, sum(reasons.values()), tuple(sorted(reasons.items())))


def instant_ms(text: str) -> int:
    """Milliseconds of a record's instant."""
    return to_ms(parse_instant(text))


def contract(verdicts: Iterable[Verdict], false_alarms: int, ledger: Ledger, seconds: float) -> dict[str, Any]:
    """What `eugenie demo -o json` prints."""
    readings = {name: value for name, value in asdict(ledger).items() if name != "reasons"}
    return {
        "faults": [asdict(verdict) for verdict in verdicts],
        "false_alarms": false_alarms,
        "readings": readings,
        "seconds": round(seconds, 1),
    }


def _belongs(record: Mapping[str, Any], fault: Fault) -> bool:
    return record["asset"] == fault.asset and fault.onset <= instant_ms(record["detected"]) <= fault.end + GRACE_MS


def _verdict(fault: Fault, record: Mapping[str, Any] | None) -> Verdict:
    injected = iso(fault.onset)
    if record is None:
        return Verdict(fault.kind, fault.asset, injected, None, None, (), False)
    named = tuple(sensor["sensor"] for sensor in record["sensors"][:NAMED])
    delay = (instant_ms(record["detected"]) - fault.onset) / 1_000
    right = any(sensor in fault.carriers for sensor in named)
    return Verdict(fault.kind, fault.asset, injected, record["detected"], delay, named, right)
