"""Everything known about a model version on history: the source of the JSON and of the HTML report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eugenie_cli.detection.alarm_forecast import Rates
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.metrics import AlarmLoad
from eugenie_cli.episodes.records import iso
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.findings import AssetFinding, Blame, EventFinding, Findings
from eugenie_cli.evaluation.promotion_gate import Verdict, candidate_of, judge
from eugenie_cli.evaluation.provenance import Provenance, Unknown
from eugenie_cli.evaluation.report import quiet_json, root_cause_json
from eugenie_cli.site.promotion import PromotionGate

BLAMED = 5
"""Sensors listed for an event, as in an anomaly record."""


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation with its findings and provenance. `to_json` is the contract of `evaluate -o json`."""

    site: str
    timezone: str
    made: int
    """When the report was made, ms since 1970 UTC."""
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
    """The class's promotion gate."""
    candidate: Findings | None = None
    """Findings of the candidate, if one was judged too."""

    def to_json(self) -> dict[str, Any]:
        """The evaluation's members and the report's own."""
        document = {
            **self.evaluation.to_json(),
            "run_id": self.evaluation.run_id,
            "budget": self.budget,
            "step_s": self.step_ms / 1000,
            "window": self.window,
            "off_delay": self.off_delay,
            "promotion": None if self.gate is None else self.gate.model_dump(mode="json"),
            **_findings(self.findings),
            **_expected(self.provenance),
            "calibration": _calibration(self.provenance),
            "training": _training(self.provenance),
        }
        if self.candidate is None:
            return document
        document["candidate"] = {**document["candidate"], **_findings(self.candidate)}
        return {**document, "verdict": asdict(judge(candidate_of(document), document, self.gate))}

    @property
    def outlook(self) -> tuple[str, ...]:
        """What the version's alarms will be like with nothing wrong, as forecast when it was trained."""
        return () if isinstance(self.provenance, Unknown) else self.provenance.outlook

    def verdict(self) -> Verdict | None:
        """The gate's verdict on the candidate for these rows, by the default settings if the class has no gate."""
        verdict = self.to_json().get("verdict")
        return verdict and Verdict(**verdict)


def _findings(findings: Findings) -> dict[str, Any]:
    return {
        "period": {"start": iso(findings.period[0]), "end": iso(findings.period[1])} if findings.period else None,
        "alarm_load": load_json(findings.load),
        "phases": {name: asdict(rates) for name, rates in findings.phases.items()} if findings.phases else None,
        "flagged_by_half": list(findings.flagged_by_half),
        "root_cause_at_alarm": root_cause_json(findings.root_cause_at_alarm),
        "event_list": [_event(event) for event in findings.events] if findings.labelled else None,
        "by_asset": [_asset(asset) for asset in findings.assets],
    }


def load_json(load: AlarmLoad) -> dict[str, Any]:
    """An operator's alarm load under its JSON names."""
    return asdict(load)


def _event(event: EventFinding) -> dict[str, Any]:
    return {
        "asset": event.asset,
        "start": iso(event.start),
        "end": iso(event.end),
        "sensors": list(event.sensors),
        "detected": None if event.detected is None else iso(event.detected),
        "delay_s": event.delay_s,
        "peak": event.peak,
        "blamed": _blamed(event.blamed),
        "blamed_at_alarm": _blamed(event.blamed_at_alarm),
    }


def _blamed(blamed: Iterable[Blame]) -> list[dict[str, Any]]:
    return [{"sensor": blame.sensor, "contribution": blame.contribution} for blame in list(blamed)[:BLAMED]]


def _asset(asset: AssetFinding) -> dict[str, Any]:
    coverage = asset.coverage
    return {
        "asset": asset.asset,
        "judged_rows": asset.judged_rows,
        "flagged": asset.flagged,
        "alarm_time_fraction": asset.alarm_time_fraction,
        "scored": asset.scored,
        "quiet": quiet_json(asset.quiet),
        "alarms": asset.alarms,
        "false_alarms": asset.false_alarms,
        "events": {"total": asset.events, "detected": asset.detected},
        "days": [
            {"day": day.day, "judged_s": day.judged_s, "alarms": day.alarms, "false_alarms": day.false_alarms}
            for day in asset.days
            if day.alarms
        ],
        "data": {
            "first": None if coverage.first is None else iso(coverage.first),
            "last": None if coverage.last is None else iso(coverage.last),
            "rows": coverage.rows,
            "present": coverage.present,
            "scored": coverage.scored,
            "gaps": [{"start": iso(start), "end": iso(end)} for start, end in coverage.gaps],
            "missing": dict(coverage.missing),
        },
    }


def _calibration(provenance: Provenance | Unknown) -> Mapping[str, Any] | None:
    if isinstance(provenance, Unknown):
        return None
    expected = provenance.forecast.assets if provenance.forecast is not None else {}
    return {
        "quantile": provenance.quantile,
        "margin": provenance.margin,
        "budget": provenance.budget,
        "rehearsal": provenance.rehearsal,
        "alarm": _alarm(provenance.alarm),
        "assets": [
            {
                **asdict(asset.calibration),
                "threshold": asset.threshold,
                "thin": asset.thin,
                **(_rates_json(rates) if (rates := expected.get(asset.calibration.asset)) else {}),
            }
            for asset in provenance.assets
        ],
    }


def _alarm(decision: AlarmDecision | None) -> Mapping[str, Any] | None:
    if decision is None:
        return None
    return {
        "on_delay": decision.delays.on,
        "off_delay": decision.delays.off,
        "budget_per_day": decision.per_day,
        "promised_per_day": decision.promised_per_day,
        "days": decision.days,
        "days_needed": decision.days_needed,
    }


def _expected(provenance: Provenance | Unknown) -> dict[str, Any]:
    """The rates that training forecast for normal rows: alarms of an asset and day, and the share of rows above 1."""
    if isinstance(provenance, Unknown) or provenance.forecast is None:
        return {"expected_alarm_rate": None, "expected_flagged": None}
    return _rates_json(provenance.forecast.all)


def _rates_json(rates: Rates) -> dict[str, Any]:
    return {"expected_alarm_rate": rates.alarms._asdict(), "expected_flagged": rates.rows._asdict()}


def _training(provenance: Provenance | Unknown) -> Mapping[str, Any]:
    if isinstance(provenance, Unknown):
        return {"unknown": provenance.reason}
    return {
        "run_id": provenance.run_id,
        "ended": provenance.ended,
        "data_fingerprint": provenance.data_fingerprint,
        "eugenie": provenance.eugenie,
        "commit": provenance.commit,
        "periods": {
            asset: {part: list(span) for part, span in parts.items()} for asset, parts in provenance.periods.items()
        },
    }
