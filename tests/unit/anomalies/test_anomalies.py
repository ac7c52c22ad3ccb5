"""Anomaly records: parsed tolerantly, combined into the current state."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.anomaly_records import record, record_bytes

from eugenie_cli.anomalies import tail as service
from eugenie_cli.anomalies.record import Anomaly, parse_record
from eugenie_cli.anomalies.view import View
from eugenie_cli.broker.consume import Record
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.schema import Site

NOW = 1_767_866_700_000  # 2026-01-08T10:05:00Z


def parsed(**members) -> Anomaly:
    result = parse_record(record_bytes(**members))
    assert result is not None
    return result[0]


@pytest.fixture
def site() -> Site:
    return Site.model_validate(
        {
            "site": "plant",
            "timezone": "Europe/Berlin",
            "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
            "assets": {"p-1": {"class": "pump"}, "p-2": {"class": "pump"}},
        }
    )


class TestRecord:
    def test_a_complete_record_is_parsed(self):
        anomaly = parsed(start="2026-01-08T10:00:00.250Z")
        assert (anomaly.start_ms, anomaly.peak, anomaly.version) == (NOW - 299_750, 5.1, 7)
        assert [share.sensor for share in anomaly.sensors][:2] == ["suction_pressure", "motor_current"]

    def test_missing_fields_are_none_and_unknown_fields_are_ignored(self):
        members = {
            "schema": "eugenie.anomaly.v2",
            "id": "a",
            "asset": "p",
            "start": "2026-01-08T10:00:00Z",
            "new": {},
        }
        result = parse_record(json.dumps(members).encode())
        assert result is not None
        anomaly, fields = result
        assert (anomaly.peak, anomaly.sensors, anomaly.is_open, anomaly.version) == (None, (), True, None)
        assert fields == members

    @pytest.mark.parametrize(
        "value", [None, b"", b"{", b"\xff", b"[]", b"3", b"{}", b'{"schema": "eugenie.score.v1", "id": "a"}']
    )
    def test_other_values_give_none(self, value):
        assert parse_record(value) is None

    @pytest.mark.slow
    @given(
        st.sampled_from(sorted(record())),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
    def test_no_field_of_any_type_stops_parsing(self, member, value):
        parse_record(json.dumps(record(**{member: value})).encode())


class TestView:
    def test_the_last_record_of_an_anomaly_counts(self):
        view = View()
        view.fold(parsed(state="open"), NOW)
        view.fold(parsed(state="update", score=9.0), NOW + 1)
        (seen,) = view.open()
        assert (seen.anomaly.score, seen.first_arrival_ms, seen.last_arrival_ms) == (9.0, NOW, NOW + 1)
        view.fold(parsed(state="closed"), NOW + 2)
        assert view.open() == [] and len(view.closed()) == 1

    def test_the_most_severe_come_first_then_the_newest(self):
        view = View()
        for name, severity, start in [
            ("a", "low", 4),
            ("b", "high", 1),
            ("c", "high", 3),
            ("d", "medium", 2),
        ]:
            view.fold(parsed(id=name, severity=severity, start=f"2026-01-08T10:0{start}:00Z"), NOW)
        assert [seen.anomaly.id for seen in view.open()] == ["c", "b", "d", "a"]

    def test_the_oldest_closed_anomalies_are_forgotten(self):
        view = View(closed_kept=2)
        for name in "abcd":
            view.fold(parsed(id=name, state="closed"), NOW)
        view.fold(parsed(id="e"), NOW)
        assert [seen.anomaly.id for seen in view.closed()] == ["d", "c"]
        assert [seen.anomaly.id for seen in view.open()] == ["e"]

    def test_the_duration_of_an_open_anomaly_is_in_event_time(self):
        live = View().fold(parsed(start="2026-01-08T10:00:00Z", detected="2026-01-08T10:00:05Z"), NOW - 294_000)
        assert live.lasts_ms(NOW) == 299_000
        replay = View().fold(parsed(start="2020-01-01T00:00:00Z", detected="2020-01-01T00:00:05Z"), NOW)
        assert replay.lasts_ms(NOW + 10_000) == 15_000

    def test_the_duration_of_a_closed_anomaly_is_fixed(self):
        seen = View().fold(parsed(state="closed", start="2026-01-08T10:00:00Z", end="2026-01-08T10:02:00Z"), NOW)
        assert seen.lasts_ms(NOW) == seen.lasts_ms(NOW + 10**9) == 120_000


class TestSince:
    @pytest.mark.parametrize(
        ("text", "ms"),
        [
            ("1h", NOW - 3_600_000),
            ("90s", NOW - 90_000),
            ("2026-01-08T10:00:00Z", NOW - 300_000),
            ("2026-01-08T11:00:00", NOW - 300_000),  # local to the site: Berlin
        ],
    )
    def test_a_duration_or_an_instant(self, site, text, ms):
        assert service.since_ms(text, NOW, site) == ms

    @pytest.mark.parametrize("text", ["yesterday", "5", "", "2026-03-29T02:30:00"])
    def test_anything_else_is_refused(self, site, text):
        with pytest.raises(EugenieError, match="--since") as caught:
            service.since_ms(text, NOW, site)
        assert caught.value.exit_code == ExitCode.USAGE


class TestTail:
    """The part of a topic's content that a tail shows. Integration tests use a real topic."""

    @pytest.fixture
    def shown(self, site, monkeypatch):
        def of(*events, **options) -> list[str]:
            """`events`: (id, state, asset, arrival), or None where the topic's end is reached."""
            records = [
                None
                if event is None
                else Record("t", 0, 0, event[3], None, record_bytes(id=event[0], state=event[1], asset=event[2]))
                for event in events
            ]
            monkeypatch.setattr(service.consume, "stream", lambda *_, **__: iter(records))
            return [f"{arrival.anomaly.id} {arrival.anomaly.state}" for arrival in service.tail(site, **options)]

        return of

    OLD = (
        ("a", "open", "p-1", 1),
        ("b", "open", "p-2", 2),
        ("a", "update", "p-1", 3),
        ("b", "closed", "p-2", 4),
    )

    def test_by_default_open_anomalies_then_new_records(self, shown):
        assert shown(*self.OLD, None, ("a", "closed", "p-1", 9)) == ["a update", "a closed"]

    def test_open_anomalies_are_shown_at_once_without_new_records(self, shown):
        assert shown(*self.OLD, None) == ["a update"]

    def test_since_shows_open_anomalies_then_records_from_that_time(self, shown):
        assert shown(*self.OLD, None, since=4) == ["b open", "b closed", "a update"]
        assert shown(*self.OLD, None, since=0) == ["a open", "b open", "a update", "b closed"]

    def test_other_assets_are_not_shown(self, shown):
        assert shown(*self.OLD, None, since=0, assets=["p-2"]) == ["b open", "b closed"]

    @pytest.mark.parametrize("reversed_order", [False, True])
    def test_the_record_that_arrived_last_counts_across_two_partitions(self, site, monkeypatch, reversed_order):
        """Partitions were added while an anomaly was open; they are read in any order."""
        before = [Record("t", 0, number, 10 + number, None, record_bytes(id="a", state="update")) for number in (0, 1)]
        after = [Record("t", 1, 0, 12, None, record_bytes(id="a", state="closed"))]
        records = after + before if reversed_order else before + after
        monkeypatch.setattr(service.consume, "stream", lambda *_, **__: iter([*records, None]))
        assert [arrival.anomaly.id for arrival in service.tail(site)] == []
        monkeypatch.setattr(service.consume, "stream", lambda *_, **__: iter(records))
        assert [seen.anomaly.state for seen, _ in service.list_anomalies(site)] == ["closed"]

    def test_within_a_partition_the_order_counts_and_not_the_clock(self, shown):
        assert shown(("a", "open", "p-1", 9), ("a", "closed", "p-1", 3), None) == []

    def test_an_unknown_asset_is_an_error(self, shown):
        with pytest.raises(EugenieError, match=r"no asset p-3 \(did you mean p-"):
            shown(assets=["p-3"])
