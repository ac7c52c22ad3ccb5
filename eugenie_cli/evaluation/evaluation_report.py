"""All that is known of a model version on history: what the JSON, and the page that people read, are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eugenie_cli.detection.metrics import AlarmLoad
from eugenie_cli.episodes.records import iso
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.findings import AssetFinding, Blame, EventFinding, Findings
from eugenie_cli.evaluation.promotion_gate import Verdict, candidate_of, judge
from eugenie_cli.evaluation.provenance import Provenance, Unknown
from eugenie_cli.evaluation.report import quiet_json, root_cause_json
from eugenie_cli.site.promotion import PromotionGate

BLAMED = 5
"""Sensors told of an event, as an anomaly's record does."""


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation with everything beside it. `to_json` is the contract of `evaluate -o json`."""

    site: str
    timezone: str
    made: int
    """When, ms since 1970 UTC."""
    step_ms: int
    window: int
    budget: float
    """Share of normal rows that may score above 1."""
    on_delay: int
    off_delay: int
    evaluation: Evaluation
    findings: Findings
    provenance: Provenance | Unknown
    gate: PromotionGate | None = None
    """What the class asks of a new version."""
    candidate: Findings | None = None
    """Of the version that was judged beside it, if one was."""

    def to_json(self) -> dict[str, Any]:
        """The evaluation's members, and the report's own."""
        document = {
            **self.evaluation.to_json(),
            "run_id": self.evaluation.run_id,
            "budget": self.budget,
            "step_s": self.step_ms / 1000,
            "window": self.window,
            "off_delay": self.off_delay,
            "promotion": None if self.gate is None else self.gate.model_dump(mode="json"),
            **_findings(self.findings),
            "calibration": _calibration(self.provenance),
            "training": _training(self.provenance),
        }
        if self.candidate is None:
            return document
        document["candidate"] = {**document["candidate"], **_findings(self.candidate)}
        return {**document, "verdict": asdict(judge(candidate_of(document), document, self.gate))}

    def verdict(self) -> Verdict | None:
        """What the class's gate says of the candidate on these rows; by its defaults where the class has no gate."""
        told = self.to_json().get("verdict")
        return told and Verdict(**told)


def _findings(found: Findings) -> dict[str, Any]:
    return {
        "period": {"start": iso(found.period[0]), "end": iso(found.period[1])} if found.period else None,
        "alarm_load": load_json(found.load),
        "phases": {name: asdict(one) for name, one in found.phases.items()} if found.phases else None,
        "flagged_by_half": list(found.flagged_by_half),
        "root_cause_at_alarm": root_cause_json(found.root_cause_at_alarm),
        "event_list": [_event(one) for one in found.events] if found.labelled else None,
        "by_asset": [_asset(one) for one in found.assets],
    }


def load_json(load: AlarmLoad) -> dict[str, Any]:
    """An operator's alarms, under the contract's names."""
    return asdict(load)


def _event(one: EventFinding) -> dict[str, Any]:
    return {
        "asset": one.asset,
        "start": iso(one.start),
        "end": iso(one.end),
        "sensors": list(one.sensors),
        "detected": None if one.detected is None else iso(one.detected),
        "delay_s": one.delay_s,
        "peak": one.peak,
        "blamed": _blamed(one.blamed),
        "blamed_at_alarm": _blamed(one.blamed_at_alarm),
    }


def _blamed(found: Iterable[Blame]) -> list[dict[str, Any]]:
    return [{"sensor": one.sensor, "contribution": one.contribution} for one in list(found)[:BLAMED]]


def _asset(one: AssetFinding) -> dict[str, Any]:
    data = one.coverage
    return {
        "asset": one.asset,
        "judged_rows": one.judged_rows,
        "flagged": one.flagged,
        "alarm_time_fraction": one.alarm_time_fraction,
        "scored": one.scored,
        "quiet": quiet_json(one.quiet),
        "alarms": one.alarms,
        "false_alarms": one.false_alarms,
        "events": {"total": one.events, "detected": one.detected},
        "days": [
            {"day": day.day, "judged_s": day.judged_s, "alarms": day.alarms, "false_alarms": day.false_alarms}
            for day in one.days
            if day.alarms
        ],
        "data": {
            "first": None if data.first is None else iso(data.first),
            "last": None if data.last is None else iso(data.last),
            "rows": data.rows,
            "present": data.present,
            "scored": data.scored,
            "gaps": [{"start": iso(start), "end": iso(end)} for start, end in data.gaps],
            "missing": dict(data.missing),
        },
    }


def _calibration(known: Provenance | Unknown) -> Mapping[str, Any] | None:
    if isinstance(known, Unknown):
        return None
    return {
        "quantile": known.quantile,
        "margin": known.margin,
        "budget": known.budget,
        "rehearsal": known.rehearsal,
        "assets": [
            {**asdict(one.calibration), "threshold": one.threshold, "thin": one.thin} for one in known.assets
        ],
    }  # fmt: skip


def _training(known: Provenance | Unknown) -> Mapping[str, Any]:
    if isinstance(known, Unknown):
        return {"unknown": known.reason}
    return {
        "run_id": known.run_id,
        "ended": known.ended,
        "data_fingerprint": known.data_fingerprint,
        "eugenie": known.eugenie,
        "commit": known.commit,
        "periods": {
            asset: {part: list(span) for part, span in parts.items()} for asset, parts in known.periods.items()
        },
    }
