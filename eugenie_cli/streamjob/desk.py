"""The alarm desk of a shard: one episode for each asset; scored batches in, records out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eugenie_cli.episodes.machine import AlarmRule, Episode, Event, ScoredRow, close_silent, deadline, step
from eugenie_cli.episodes.records import ScoreFormatter, anomaly_record, dumps
from eugenie_cli.streamjob.predict import ScoredBatch
from eugenie_cli.streamjob.spec import ClassSpec, JobSpec

ANOMALY = "anomaly"
SCORE = "score"
DEAD = "dead"

Record = tuple[str, str, str]
"""(kind, key, JSON)."""

FOREVER = 1 << 62


class Desk:
    """The episodes of a shard's assets."""

    def __init__(self, spec: JobSpec) -> None:
        self._site = spec.site
        self._classes = {one.name: one for one in spec.classes}
        self._rules = {
            one.name: AlarmRule(one.on_delay, one.off_delay, one.cooldown, one.silence_ms) for one in spec.classes
        }
        self._class_of = {asset.name: asset.class_name for asset in spec.assets}
        self._format = {one.name: ScoreFormatter(spec.site, one.name, one.model) for one in spec.classes}
        self._episodes: dict[str, Episode] = {}
        self._open: set[str] = set()
        self._busy: set[str] = set()

    def take(self, scored: ScoredBatch) -> Iterator[Record]:
        """Score records, one a row that took a reading or has a score, and what becomes of anomalies."""
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
        for asset in sorted(self._open):
            class_name, episode = self._class_of[asset], self._episodes[asset]
            yield from self._records(asset, class_name, close_silent(self._rules[class_name], episode, now_ms))
            self._note(asset, episode)

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
        one: ClassSpec = self._classes[class_name]
        sensors = list(zip(one.sensors, one.units, strict=True))
        for event in events:
            record = anomaly_record(self._site, asset, class_name, sensors, event, one.model)
            yield ANOMALY, asset, dumps(record).decode()

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain data: empty while nothing is open or counted, which is the rule."""
        return {asset: self._episodes[asset].to_state() for asset in sorted(self._busy)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the episodes of an earlier job; assets that the site no longer has are dropped."""
        for asset, kept in state.items():
            if asset in self._class_of:
                self._episodes[asset] = Episode.from_state(kept)
                self._note(asset, self._episodes[asset])
