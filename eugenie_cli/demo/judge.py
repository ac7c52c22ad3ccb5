"""Compares detected anomalies with injected faults, and accounts for every reading. It sees records, but no model."""

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
    """One injected fault and the first anomaly on its asset during the fault. Instants are ISO 8601; None if missed."""

    kind: str
    asset: str
    injected: str
    detected: str | None
    delay_s: float | None
    sensors: tuple[str, ...]
    right: bool


@dataclass(frozen=True)
class Ledger:
    """What became of the readings. The books balance if sent = in_rows + bad_quality + dead_letters."""

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
    """Verdicts in order of injection, and the false alarms: anomalies that belong to no fault.

    An anomaly belongs to a fault if it opened on the same asset between the onset and GRACE_MS after the end.
    """
    opened = {record["id"]: record for record in anomalies if record["state"] == "open"}
    unmatched = sorted(opened.values(), key=lambda record: str(record["detected"]))
    verdicts = []
    for fault in sorted(faults, key=lambda fault: fault.onset):
        matching = [record for record in unmatched if _belongs(record, fault)]
        unmatched = [record for record in unmatched if record not in matching]
        verdicts.append(_verdict(fault, matching[0] if matching else None))
    return verdicts, unmatched


def account(sent: int, scores: Iterable[Mapping[str, Any]], dead_letters: Iterable[Mapping[str, Any]]) -> Ledger:
    """Sums the counts of the score records and the dead letters; a dead letter may stand for several readings."""
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
    """The output of `eugenie demo -o json`."""
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
