"""The alarm state of a shard: one episode per asset; takes scored batches, returns records. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.episodes.records import ScoreFormatter, anomaly_record, delayed, dumps
from eugenie_cli.episodes.state_machine import (
    AlarmRule,
    Episode,
    Event,
    ScoredRow,
    close_now,
    close_silent,
    deadline,
    step,
)
from eugenie_cli.flink_job.episode_state import ClassState, EpisodeState, from_state, to_state
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.spec import ClassSpec, JobSpec

log = logging.getLogger(__name__)

ANOMALY = "anomaly"
SCORE = "score"
DEAD = "dead"

Record = tuple[str, str, str]
"""(kind, key, JSON)."""

FOREVER = 1 << 62


def rule_of(equipment: ClassSpec, delays: Delays) -> AlarmRule:
    """The alarm rule of a class whose rows were scored by a version with `delays`; the site file's have priority."""
    return AlarmRule(
        equipment.on_delay or delays.on,
        equipment.off_delay or delays.off,
        equipment.cooldown,
        equipment.silence_ms,
    )


class AlarmState:
    """The episodes of a shard's assets."""

    def __init__(self, spec: JobSpec) -> None:
        self._site = spec.site
        self._classes = {equipment.name: ClassState.of(equipment) for equipment in spec.classes}
        self._given = {equipment.name: equipment for equipment in spec.classes}
        self._rules = {equipment.name: rule_of(equipment, Delays()) for equipment in spec.classes}
        self._class_of = {asset.name: asset.class_name for asset in spec.assets}
        self._format = {
            equipment.name: ScoreFormatter(spec.site, equipment.name, equipment.model) for equipment in spec.classes
        }
        self._episodes: dict[str, Episode] = {}
        self._open: set[str] = set()
        self._busy: set[str] = set()
        self._departed: list[EpisodeState] = []

    def take(self, scored: ScoredBatch) -> Iterator[Record]:
        """Score records, one per row that took in a reading or has a score, and the records of anomalies."""
        yield from self.close_departed()
        batch = scored.batch
        self._rules[batch.class_name] = rule_of(self._given[batch.class_name], scored.delays)
        edges, scores = batch.edges.tolist(), scored.score.tolist()
        counts = zip(batch.readings.tolist(), batch.bad_quality.tolist(), strict=True)
        anomalous = (scored.score > 1).any(axis=1).tolist()
        write = self._format[batch.class_name]
        delayed_until = batch.delayed_until.tolist()
        for index, (asset, (readings, bad_quality)) in enumerate(zip(batch.assets, counts, strict=True)):
            late_edge = delayed_until[index]
            episode = self._episodes.get(asset)
            if episode is None:
                episode = self._episodes[asset] = Episode()
            for edge, score, good, bad in zip(edges[index], scores[index], readings, bad_quality, strict=True):
                is_scored = score == score
                if is_scored or good or bad:
                    version = scored.version if is_scored else None
                    text = write(asset, edge, score, good, bad, version).decode()
                    yield SCORE, asset, delayed(text) if edge <= late_edge else text
            if anomalous[index] or not episode.is_idle:  # otherwise nothing happens, which is the usual case
                yield from self._episode_records(scored, index, asset, episode)

    def _episode_records(self, scored: ScoredBatch, index: int, asset: str, episode: Episode) -> Iterator[Record]:
        batch = scored.batch
        rule = self._rules[batch.class_name]
        arrays = (scored.contribution, scored.expected, batch.rows)
        rows = zip(batch.edges[index].tolist(), scored.score[index].tolist(), strict=True)
        for step_index, (edge, score) in enumerate(rows):
            if score > 1 or episode.start is not None:
                reasons = [array[index, step_index].tolist() for array in arrays]
                events = step(rule, episode, ScoredRow(edge, score, scored.version, *reasons))
                for kind, key, text in self._records(asset, batch.class_name, events):
                    yield kind, key, delayed(text) if edge <= int(batch.delayed_until[index]) else text
            elif score == score:
                step(rule, episode, ScoredRow(edge, score, scored.version, (), (), ()))
        self._note(asset, episode)

    @property
    def has_open(self) -> bool:
        """Whether an anomaly is open."""
        return bool(self._open)

    def silent(self, clock_of: Callable[[str], int | None]) -> list[str]:
        """Assets that have been silent for so long that their anomaly ends.

        `clock_of`: asset -> the time (ms) of its clock; None: unknown.
        """
        return [asset for asset in self._open if self._silent_at(asset, clock_of) is not None]

    def close_silent(self, clock_of: Callable[[str], int | None]) -> Iterator[Record]:
        """Close the anomalies of `silent` assets. All rows up to the time of their clocks must have been taken."""
        yield from self.close_departed()
        for asset in sorted(self._open):
            now_ms = self._silent_at(asset, clock_of)
            if now_ms is None:
                continue
            class_name, episode = self._class_of[asset], self._episodes[asset]
            yield from self._records(asset, class_name, close_silent(self._rules[class_name], episode, now_ms))
            self._note(asset, episode)

    def _silent_at(self, asset: str, clock_of: Callable[[str], int | None]) -> int | None:
        """The clock of an asset whose silence ends its anomaly, else None."""
        due, now_ms = deadline(self._rules[self._class_of[asset]], self._episodes[asset]), clock_of(asset)
        return now_ms if due is not None and now_ms is not None and now_ms >= due else None

    def close_departed(self) -> Iterator[Record]:
        """Close anomalies from a restored state whose assets have left the site or changed their class."""
        departed, self._departed = self._departed, []
        for entry in departed:
            assert entry.of_class is not None  # noqa: S101 - for the type checker
            yield from self._written(entry.asset, entry.of_class, close_now(entry.episode, "removed"))

    def reset(self, assets: Iterable[str]) -> Iterator[Record]:
        """Close the open anomalies of some assets, and forget everything about them."""
        for asset in assets:
            episode = self._episodes.pop(asset, None)
            if episode is not None:
                yield from self._records(asset, self._class_of[asset], close_now(episode, "reset"))
                self._note(asset, Episode())

    def close_all(self) -> Iterator[Record]:
        """Close every open anomaly as silent: the whole plant has stopped sending rows."""
        yield from self.close_silent(lambda asset: FOREVER)  # noqa: ARG005 - of every asset

    def _note(self, asset: str, episode: Episode) -> None:
        for assets, is_member in ((self._open, episode.is_open), (self._busy, not episode.is_idle)):
            if is_member:
                assets.add(asset)
            else:
                assets.discard(asset)

    def _records(self, asset: str, class_name: str, events: list[Event]) -> Iterator[Record]:
        if events:
            yield from self._written(asset, self._classes[class_name], events)

    def _written(self, asset: str, of_class: ClassState, events: list[Event]) -> Iterator[Record]:
        sensors = list(zip(of_class.sensors, of_class.units, strict=True))
        for event in events:
            record = anomaly_record(self._site, asset, of_class.name, sensors, event, of_class.model)
            yield ANOMALY, asset, dumps(record).decode()

    def state(self) -> dict[str, Any]:
        """Plain data for `restore`; usually empty, since idle episodes are omitted."""
        busy = [
            EpisodeState(asset, self._classes[self._class_of[asset]], self._episodes[asset])
            for asset in sorted(self._busy)
        ]
        return to_state([*self._departed, *busy])

    def restore(self, state: Mapping[str, Any], former_classes: Mapping[str, ClassState] | None = None) -> None:
        """Take over the episodes of an earlier job.

        An open anomaly is closed by the next call if its asset has left the site or its class, or if the class has
        other sensors now; the rest of such an asset's episode is dropped. `former_classes`: see
        `episode_state.from_state`.
        """
        for entry in from_state(state, former_classes or {}):
            asset, former = entry.asset, entry.of_class
            current = self._classes.get(self._class_of.get(asset, ""))
            if former is None and current is not None and len(entry.episode.sums) in (0, len(current.sensors)):
                former = current
            if (
                former is not None
                and current is not None
                and (former.name, former.sensors) == (current.name, current.sensors)
            ):
                self._episodes[asset] = entry.episode
                self._note(asset, entry.episode)
            elif former is not None and entry.episode.is_open:
                self._departed.append(EpisodeState(asset, former, entry.episode))
            elif entry.episode.is_open:
                log.warning("the anomaly of %s stays open: it left the site file, and its class is unknown", asset)
