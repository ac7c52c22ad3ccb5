"""Keys of anomalies: one per anomaly, in the partition of its asset."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.flink_job.anomaly_keys import AnomalyKeys, murmur2, partition_of

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
ids = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


def record(anomaly_id: str, state: str = "open") -> str:
    return json.dumps({"id": anomaly_id, "state": state})


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafkas_java_clients(text, signed):
    """The test vectors of Kafka's UtilsTest."""
    assert murmur2(text.encode()) == signed & 0xFFFFFFFF


@pytest.mark.slow
@given(names, ids, st.integers(1, 64))
def test_an_anomaly_has_one_key_that_names_its_asset_and_leads_to_the_assets_partition(asset, anomaly_id, partitions):
    keys = AnomalyKeys(partitions)
    key = keys.of(asset, record(anomaly_id))
    assert partition_of(key, partitions) == partition_of(asset, partitions)
    assert key.startswith(f"{asset}/{anomaly_id}")
    assert key == keys.of(asset, record(anomaly_id, "closed")) == AnomalyKeys(partitions).of(asset, record(anomaly_id))


@pytest.mark.slow
@given(st.sets(st.tuples(names, ids), min_size=2, max_size=20), st.integers(1, 8))
def test_two_anomalies_never_share_a_key(anomalies, partitions):
    keys = AnomalyKeys(partitions)
    assert len({keys.of(asset, record(anomaly_id)) for asset, anomaly_id in anomalies}) == len(anomalies)


def test_a_topic_of_one_partition_has_plain_keys():
    assert AnomalyKeys(1).of("pump-1", record("5f0c")) == "pump-1/5f0c"
