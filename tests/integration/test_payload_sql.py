"""The stream's SQL reads the golden payloads as the pure mapping does: same readings, same reasons."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment

from eugenie_cli.embedded.java import java
from eugenie_cli.site.model import ReadingsMapping
from eugenie_cli.streamjob import front_sql, payload_sql
from eugenie_cli.streamjob.front_sql import FIELD_SEPARATOR
from eugenie_cli.streamjob.spec import ClassSpec, JobSpec, KafkaSpec

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[1] / "golden" / "readings"
SENT = "TO_TIMESTAMP_LTZ(253402300799000, 3)"  # no golden instant is in the future of this one


def readable() -> list[Path]:
    return [path for path in sorted(GOLDEN.glob("*.json")) if not payload_sql.unsupported(mapping_of(path))]


def mapping_of(path: Path) -> dict:
    document = json.loads(path.read_text(encoding="utf-8"))
    return ReadingsMapping.model_validate(document["mapping"]).model_dump(mode="json")


def spec_of(path: Path) -> JobSpec:
    document = json.loads(path.read_text(encoding="utf-8"))
    one = ClassSpec("c", ("a",), ("",), (None,), (None,), 1_000, 5_000, 8, 1, 1, 0, 1_000, "c")
    kafka = KafkaSpec("readings", "anomalies", "scores", "dead", {})
    return JobSpec(
        "plant",
        document["timezone"],
        mapping_of(path),
        (one,),
        (),
        kafka,
        "",
        1,
        0,
        1_000,
        3_600_000,
        1_000,
        "exactly-once",
    )


@pytest.fixture(scope="module")
def tables() -> Iterator[TableEnvironment]:
    with pytest.MonkeyPatch.context() as patch:  # the packaged Java, as there may be no other
        patch.setenv("JAVA_HOME", str(java().parents[1]))
        environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    environment.get_config().set("table.local-time-zone", "UTC")
    environment.get_config().set("parallelism.default", "1")
    yield environment


def read(tables: TableEnvironment, spec: JobSpec, payloads: list[str]) -> list[tuple]:
    """(reason, item) of each payload, through the front's own SQL; only the watermark is left out."""
    for view in ("messages", "source", front_sql.FIELDS, "judged", "readings"):
        tables.drop_temporary_view(view)
    row = DataTypes.ROW([DataTypes.FIELD("payload", DataTypes.STRING()), DataTypes.FIELD("offset", DataTypes.BIGINT())])
    tables.create_temporary_view("messages", tables.from_elements([(text, n) for n, text in enumerate(payloads)], row))
    tables.execute_sql(
        f"CREATE TEMPORARY VIEW source AS SELECT payload, 0 AS `partition`, `offset`, {front_sql.rowtime(spec)} AS rt"
        f" FROM (SELECT payload, `offset`, {SENT} AS sent FROM messages)"
    )
    tables.execute_sql(f"CREATE TEMPORARY VIEW {front_sql.FIELDS} AS {front_sql.fields_query(spec)}")
    tables.execute_sql(front_sql.judged_view(spec, is_late="FALSE"))
    item = front_sql.readings_view(spec).split("SELECT", 1)[1].split("FROM judged", 1)[0]
    query = f"SELECT `offset`, reason, {item} FROM judged"
    with tables.sql_query(query).execute().collect() as found:
        return sorted((row[0], row[1], row[4]) for row in found)


@pytest.mark.parametrize("path", readable(), ids=lambda path: path.stem)
def test_sql_agrees_with_the_golden_payloads(tables, path):
    document = json.loads(path.read_text(encoding="utf-8"))
    cases = [case for case in document["cases"] if isinstance(case["payload"], str)]
    wrong = []
    for case, (_, reason, item) in zip(
        cases, read(tables, spec_of(path), [case["payload"] for case in cases]), strict=True
    ):
        (expected,) = case["expect"]
        if "rejected" in expected:
            if reason != expected["rejected"]:
                wrong.append((case["about"], case["payload"], f"reason {reason}", expected))
            continue
        got = None if reason is not None else as_reading(item)
        if got != as_expected(expected):
            wrong.append((case["about"], case["payload"], reason or got, expected))
    assert not wrong, "\n".join(map(str, wrong))


def as_reading(item: str) -> tuple:
    asset, sensor, tag, ts, value = item.split(FIELD_SEPARATOR)
    return asset or None, sensor or None, tag or None, int(ts), None if value == "" else float(value)


def as_expected(reading: dict) -> tuple:
    value = reading["value"]
    bad = value is None or not reading["good"] or math.isnan(value)
    return reading["asset"], reading["sensor"], reading["tag"], reading["ts"], None if bad else value
