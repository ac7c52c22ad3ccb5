"""A job's client of the schema registry: for the kind of schemas that the mapping's format needs."""

from __future__ import annotations

import pytest

from eugenie_cli.readings.schema_registry import PROTOBUF, SchemaRegistry
from eugenie_cli.streaming.package import job_spec


@pytest.mark.parametrize(("format", "kind"), [("avro", None), ("protobuf", PROTOBUF)])
def test_a_job_asks_the_registry_for_its_kind_of_schemas(site_of, format, kind):
    readings = {"format": format, "registry": {"url": "http://registry.plant:8081"}, "tag": {"path": "tag"}}
    registry = job_spec(site_of(kafka={"bootstrap": "127.0.0.1:9", "readings": readings}), "auto").mapping["registry"]
    assert registry.get("kind") == kind
    SchemaRegistry(**registry)
