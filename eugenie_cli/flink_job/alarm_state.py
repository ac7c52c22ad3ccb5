"""The alarm desk of a shard: one episode for each asset; scored batches in, records out. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from eugenie_cli.episodes.records import ScoreFormatter, anomaly_record, dumps
from eugenie_cli.episodes.state_machine import (
    AlarmRule,
    Episode,
    Event,
    ScoredRow,
    close_removed,
    close_silent,
    deadline,
    step,
)
from eugenie_cli.flink_job.episode_state import ClassState, EpisodeState, from_state, to_state
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.spec import JobSpec

log = logging.getLogger(__name__)

ANOMALY = "anomaly"
SCORE = "score"
DEAD = "dead"

Record = tuple[str, str, str]
"""(kind, key, JSON)."""

FOREVER = 1 << 62


class AlarmState:
    """The episodes of a shard's assets."""

    def __init__(self, spec: JobSpec) -> None:
        self._site = spec.site
        self._classes = {one.name: ClassState.of(one) for one in spec.classes}
        self._rules = {
            one.name: AlarmRule(one.on_delay, one.off_delay, one.cooldown, one.silence_ms) for one in spec.classes
        }
        self._class_of = {asset.name: asset.class_name for asset in spec.assets}
        self._format = {one.name: ScoreFormatter(spec.site, one.name, one.model) for one in spec.classes}
        self._episodes: dict[str, Episode] = {}
        self._open: set[str] = set()
        self._busy: set[str] = set()
        self._departed: list[EpisodeState] = []

    def take(self, scored: ScoredBatch) -> Iterator[Record]:
        """Score records, one a row that took a reading or has a score, and what becomes of anomalies."""
        yield from self.close_departed()
        batch = scored.batch
        edges, scores = batch.edges.tolist(), scored.score.tolist()
        taken = zip(batch.readings.tolist(), batch.bad_quality.tolist(), strict=True)
        anomalous = (scored.score > 1).any(axis=1).tolist()
        write = self._format[batch.class_name]
        for place, (asset, (readings, bad_quality)) in enumerate(zip(batch.assets, taken, strict=True)):
            episode = self._episodes.get(asset)
            if episode is None:
                episode = self._episodes[asset] = Episode()
            for edge, score, good, bad in zip(edges, scores[place], readings, bad_quality, strict=True):
                if score == score:
                    yield SCORE, asset, write(asset, edge, score, good, bad, scored.version).decode()
                elif good or bad:
                    yield SCORE, asset, write(asset, edge, score, good, bad, None).decode()
            if anomalous[place] or not episode.is_idle:  # else nothing happens, which is the rule
                yield from self._episode_records(scored, place, asset, episode)

    def _episode_records(self, scored: ScoredBatch, place: int, asset: str, episode: Episode) -> Iterator[Record]:
        batch = scored.batch
        rule = self._rules[batch.class_name]
        arrays = (scored.contribution, scored.expected, batch.rows)
        rows = zip(batch.edges.tolist(), scored.score[place].tolist(), strict=True)
        for index, (edge, score) in enumerate(rows):
            if score > 1 or episode.start is not None:
                reasons = [array[place, index].tolist() for array in arrays]
                events = step(rule, episode, ScoredRow(edge, score, scored.version, *reasons))
                yield from self._records(asset, batch.class_name, events)
            elif score == score:
                step(rule, episode, ScoredRow(edge, score, scored.version, (), (), ()))
        self._note(asset, episode)

    def close_silent(self, now_ms: int) -> Iterator[Record]:
        """Close what has been silent for too long at event time `now_ms`."""
        yield from self.close_departed()
        for asset in sorted(self._open):
            class_name, episode = self._class_of[asset], self._episodes[asset]
            yield from self._records(asset, class_name, close_silent(self._rules[class_name], episode, now_ms))
            self._note(asset, episode)

    def close_departed(self) -> Iterator[Record]:
        """Close the anomalies of a restored state whose assets are gone, or of another class now."""
        departed, self._departed = self._departed, []
        for one in departed:
            assert one.of_class is not None  # noqa: S101 - for the type checker
            yield from self._written(one.asset, one.of_class, close_removed(one.episode))

    def close_all(self) -> Iterator[Record]:
        """Close every open anomaly as silent: no row comes from the whole plant any more."""
        yield from self.close_silent(FOREVER)

    def next_deadline(self) -> int | None:
        """The first instant (event time, ms) at which a silence closes something; None when nothing is open."""
        found = (deadline(self._rules[self._class_of[asset]], self._episodes[asset]) for asset in self._open)
        return min((one for one in found if one is not None), default=None)

    def _note(self, asset: str, episode: Episode) -> None:
        for assets, belongs in ((self._open, episode.is_open), (self._busy, not episode.is_idle)):
            if belongs:
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
        """What `restore` needs, as plain data: empty while nothing is open or counted, which is the rule."""
        busy = [
            EpisodeState(asset, self._classes[self._class_of[asset]], self._episodes[asset])
            for asset in sorted(self._busy)
        ]
        return to_state([*self._departed, *busy])

    def restore(self, state: Mapping[str, Any], classes_then: Mapping[str, ClassState] | None = None) -> None:
        """Take over the episodes of an earlier job.

        What is open of an asset that has left the site or its class, or whose class has other sensors now, is closed by
        the next call; the rest of such an asset's episode is dropped. `classes_then` as `episode_state.from_state` has
        it.
        """
        for kept in from_state(state, classes_then or {}):
            asset, then = kept.asset, kept.of_class
            now = self._classes.get(self._class_of.get(asset, ""))
            if then is None and now is not None and len(kept.episode.sums) in (0, len(now.sensors)):
                then = now
            if then is not None and now is not None and (then.name, then.sensors) == (now.name, now.sensors):
                self._episodes[asset] = kept.episode
                self._note(asset, kept.episode)
            elif then is not None and kept.episode.is_open:
                self._departed.append(EpisodeState(asset, then, kept.episode))
            elif kept.episode.is_open:
                log.warning("the anomaly of %s stays open: it left the site file, and its class is not known", asset)
