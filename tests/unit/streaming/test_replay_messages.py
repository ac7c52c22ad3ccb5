"""A replayed reading is read back as the same reading, in every format of messages that a gateway may use."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.operated_sites import DOCUMENT

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.encoder import Composer, router

MAPPINGS = {
    "canonical": {},
    "nested, epoch seconds": {
        "readings": {
            "ts": {"path": "head.at", "unit": "s"},
            "asset": {"path": "head.machine"},
            "sensor": {"path": "measurement.name"},
            "value": {"path": "measurement.v"},
        }
    },
    "only tags": {
        "readings": {"tag": {"path": "t"}, "ts": {"path": "ms", "unit": "ms"}, "value": {"path": "v", "decimal": ","}}
    },
    "asset and tag, nanoseconds": {
        "readings": {"asset": {"path": "a"}, "tag": {"path": "t"}, "ts": {"path": "n", "unit": "ns"}}
    },
    "local times by a pattern": {
        "readings": {
            "asset": {"path": "a"},
            "sensor": {"path": "s"},
            "ts": {"path": "at", "format": "%d.%m.%Y %H:%M:%S.%f %z", "timezone": "Europe/Istanbul"},
        }
    },
    "days of a spreadsheet": {
        "readings": {
            "asset": {"path": "a"},
            "sensor": {"path": "s"},
            "ts": {"path": "d", "unit": "excel", "timezone": "UTC"},
        }
    },
    "wide": {"readings": {"shape": "wide", "asset": {"path": "machine"}, "ts": {"path": "time"}}},
    "an array of records": {
        "readings": {"records": "data.values", "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
    },
    "a bare array": {"readings": {"records": ".", "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}},
}


def site(mapping: dict, **sections) -> Site:
    kafka = {**DOCUMENT["kafka"], **mapping}
    return Site.model_validate({**DOCUMENT, "kafka": kafka, "timezone": "Europe/Istanbul", **sections})


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAPPINGS)
@given(
    ts=st.integers(0, 4_102_444_800_000),
    value=st.one_of(st.just(math.nan), st.floats(-1e30, 1e30, allow_nan=False)),
    series=st.sampled_from([("p-1", "pressure"), ("p-2", "pressure"), ("p-1", "current"), ("f-1", "speed")]),
)
def test_a_reading_is_read_back_unchanged(kind, ts, value, series):
    # without an asset, a tag must belong to one asset: only p-2 has the tag `current`, since p-1 has another
    plant = site(MAPPINGS[kind])
    payload = Composer(plant)(*series, ts, value)
    (reading,) = compile_payload(plant.kafka.readings.model_dump(mode="json"), plant.timezone)(payload)
    route = router(plant).route(reading.asset, reading.sensor, reading.tag)
    assert route is not None
    assert (route[0], router(plant).sensors_of(route[0])[route[1]]) == series
    assert reading.ts == ts
    assert reading.value == value or (math.isnan(value) and not reading.good)


def test_the_canonical_message_looks_as_documented():
    payload = Composer(site({}))("p-1", "pressure", 1_772_323_200_250, 2.41)
    assert json.loads(payload) == {
        "asset": "p-1",
        "ts": "2026-03-01T00:00:00.250Z",
        "sensor": "pressure",
        "value": 2.41,
    }


CONSTANT_ASSET = {"asset": {"const": "p-2"}, "sensor": {"path": "s"}}
CONSTANT_SENSOR = {"asset": {"path": "a"}, "sensor": {"const": "current"}}
WITHOUT_SECONDS = {"asset": {"path": "a"}, "sensor": {"path": "s"}, "ts": {"path": "t", "format": "%Y-%m-%d %H:%M"}}


@pytest.mark.parametrize("readings", [CONSTANT_ASSET, CONSTANT_SENSOR, WITHOUT_SECONDS])
def test_a_mapping_that_cannot_express_a_reading_is_refused_before_sending(readings):
    with pytest.raises(EugenieError, match="cannot carry pressure of p-1") as raised:
        Composer(site({"readings": readings}))("p-1", "pressure", 1_772_323_200_250, 2.41)
    assert raised.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize(
    "part",
    [
        {"value": {"path": "v", "scale": 2}},
        {"value": {"path": "v", "map": {"1": 0}}},
        {"ts": {"path": "t", "ambiguous": "first"}},
    ],
)
def test_a_mapping_that_changes_some_readings_is_refused_before_sending(part):
    """The first reading of a sensor would be read back unchanged: 0 is 0 at any scale."""
    readings = {"asset": {"path": "a"}, "sensor": {"path": "s"}, **part}
    with pytest.raises(EugenieError, match="cannot write messages that are read back unchanged"):
        Composer(site({"readings": readings}))


def test_a_tag_of_two_assets_cannot_be_replayed_without_an_asset():
    assets = {"p-1": {"class": "pump"}, "p-2": {"class": "pump"}}
    plant = site({"readings": {"tag": {"path": "t"}}}, assets=assets)
    with pytest.raises(EugenieError, match="cannot carry pressure of p-2"):
        Composer(plant)("p-2", "pressure", 0, 1.0)


def test_only_json_messages_are_written():
    avro = {"readings": {"format": "avro", "registry": {"url": "http://127.0.0.1:9"}, "tag": {"path": "t"}}}
    with pytest.raises(EugenieError, match="a replay writes only JSON"):
        Composer(site(avro))
