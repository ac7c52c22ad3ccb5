"""The JVM's part of the job, as SQL: read, parse, judge, and gather the readings of each (shard, step).

```
source table --extract--> fields --judge--> rejected messages (dead letters)
                                      \\---> steps: one text of readings a shard and base step
```
`fields` passes through a DataStream: Flink would otherwise parse the JSON again for every use of a field. Windows drop
late rows without a word, so `judge` finds them first, against the same watermark.
"""

from __future__ import annotations

from typing import Any

from eugenie_cli.readings import mapping as readings_mapping
from eugenie_cli.readings import reasons
from eugenie_cli.streamjob import instant_sql
from eugenie_cli.streamjob import payload_sql as sql
from eugenie_cli.streamjob.spec import JobSpec, consumer_group

FIELD_SEPARATOR = "\x1f"
ITEM_SEPARATOR = "\x1e"

FIELDS = "fields"
BEFORE_ALL = f"{instant_sql.EPOCH} AND {instant_sql.FIRST} - INTERVAL '0.002' SECOND"
"""Row times of instants that an offset puts before 1970. (EPOCH's own row time is a millisecond earlier.)"""
IS_LATE = "rt <= CURRENT_WATERMARK(rt)"


def _interval(ms: int) -> str:
    seconds, milli = divmod(ms, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"INTERVAL '{days} {hour:02d}:{minute:02d}:{second:02d}.{milli:03d}' DAY TO SECOND(3)"


def source_table(spec: JobSpec) -> str:
    """The Kafka topic with its watermark: the largest instant seen in a partition, less the out-of-orderness.

    A message without a usable instant gets 1969, which moves no watermark; so does one from the future.
    """
    options = {
        "connector": "kafka",
        "topic": spec.kafka.readings,
        "format": "raw",
        "properties.group.id": consumer_group(spec.site),
        # where the site's last job got to, as its checkpoints told Kafka; a first job reads all there is
        "scan.startup.mode": "group-offsets" if spec.start == "auto" else f"{spec.start}-offset",
        "properties.auto.offset.reset": "earliest",
        "scan.topic-partition-discovery.interval": "60 s",
        "properties.isolation.level": "read_committed",
        **{f"properties.{key}": value for key, value in spec.kafka.properties.items()},
    }
    if spec.idle_timeout_ms is not None:
        options["scan.watermark.idle-timeout"] = f"{spec.idle_timeout_ms} ms"
    return f"""
CREATE TEMPORARY TABLE source (
  payload STRING,
  `partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  rt AS {rowtime(spec)},
  WATERMARK FOR rt AS rt - {_interval(spec.out_of_orderness_ms)}
) WITH ({_with(options)})"""


def rowtime(spec: JobSpec) -> str:
    """A millisecond before the instant of a message, from its payload and the time when it was `sent`.

    A window takes start <= rt < end and a row takes edge - step < ts <= edge: a millisecond makes one the other.
    (Windows have an offset for that, but Flink's local aggregation flushes by the watermarks of windows that have
    none, and what it flushes too late is dropped.)
    """
    latest = f"TIMESTAMPADD(SECOND, {max(spec.max_ahead_ms // 1000, 1)}, CAST(sent AS TIMESTAMP(3)))"
    ts = spec.mapping["ts"]
    return f"({instant_sql.rowtime(sql.text(ts), ts, spec.timezone, latest)}) - {_interval(1)}"


def fields_query(spec: JobSpec) -> str:
    """One row a message: its parts as text, each taken out of the JSON once."""
    part = spec.mapping.get
    return f"""
SELECT payload, `partition`, `offset`, rt,
  NULLIF({sql.text(part("ts"))}, '') AS ts_text,
  NULLIF({sql.text(part("asset"))}, '') AS asset,
  NULLIF({sql.text(part("sensor"))}, '') AS sensor,
  NULLIF({sql.text(part("tag"))}, '') AS tag,
  {sql.text(part("value"))} AS value_text,
  NULLIF({sql.text(part("quality"))}, '') AS quality_text
FROM source"""


def judged_view(spec: JobSpec, is_late: str = IS_LATE) -> str:
    """Fields with their verdict: `reason` is NULL for a reading, else why it is none, in `readings.mapping`'s order."""
    is_instant = instant_sql.is_instant("ts_text", spec.mapping["ts"], spec.timezone)
    value, quality = spec.mapping["value"], spec.mapping.get("quality")
    names = "COALESCE(asset, '') || COALESCE(sensor, '') || COALESCE(tag, '')"
    return f"""
CREATE TEMPORARY VIEW judged AS
SELECT *, CASE
    WHEN (sensor IS NULL AND tag IS NULL) OR (tag IS NULL AND asset IS NULL) OR ts_text IS NULL THEN {_unreadable()}
    WHEN NOT {is_instant} OR rt BETWEEN {BEFORE_ALL} THEN '{reasons.BAD_TIMESTAMP}'
    WHEN good IS NULL THEN '{reasons.BAD_VALUE}'
    WHEN good AND value_text IS NULL AND NOT {sql.is_null(value)} THEN
      CASE WHEN {_is_nested(value)} THEN '{reasons.BAD_VALUE}' ELSE '{reasons.MISSING_FIELD}' END
    WHEN good AND value_text IS NOT NULL AND number IS NULL THEN '{reasons.BAD_VALUE}'
    WHEN REGEXP({names}, '[\\x00-\\x1f]') THEN '{reasons.UNKNOWN_TAG}'
    WHEN rt < {instant_sql.EPOCH} THEN '{reasons.FUTURE}'
    WHEN {is_late} THEN '{reasons.LATE}'
  END AS reason
FROM (
  SELECT *, {sql.good("quality_text", quality)} AS good, {sql.number("value_text", value)} AS number FROM {FIELDS})"""


def _unreadable() -> str:
    return (
        f"CASE WHEN payload IS NULL THEN '{reasons.BAD_JSON}'"
        f" WHEN CHAR_LENGTH(payload) > {readings_mapping.MAX_PAYLOAD} THEN '{reasons.TOO_LARGE}'"
        f" WHEN payload IS JSON OBJECT THEN '{reasons.MISSING_FIELD}' ELSE '{reasons.BAD_JSON}' END"
    )


def _is_nested(value: dict[str, Any]) -> str:
    if value.get("path") is None:
        return "FALSE"
    return f"JSON_EXISTS(payload, {sql.json_path(value['path'].split('.'))})"


def rejected_query() -> str:
    """Messages that are no readings: reason, detail, payload and where they lie in Kafka."""
    return """
SELECT reason, CASE reason
    WHEN 'bad-timestamp' THEN ts_text
    WHEN 'bad-value' THEN
      CONCAT('value ', COALESCE(value_text, 'of another type'), ', quality ', COALESCE(quality_text, 'none'))
    WHEN 'missing-field' THEN 'the mapping needs an asset and sensor, or a tag, and an instant and a value'
    WHEN 'late' THEN CONCAT(ts_text, ' is before the watermark ', CAST(CURRENT_WATERMARK(rt) AS STRING))
    WHEN 'future' THEN ts_text
    ELSE '' END AS detail,
  payload, `partition`, `offset`
FROM judged WHERE reason IS NOT NULL"""


def readings_view(spec: JobSpec) -> str:
    """The readings among the judged messages, each as one text, with the shard that it belongs to.

    A shard holds whole assets: messages that name no asset all go to shard 0, where their tags are looked up.
    """
    by_asset = spec.mapping.get("asset") is not None and spec.parallelism > 1
    shard = f"COALESCE(ABS(MOD(HASH_CODE(asset), {spec.parallelism})), 0)" if by_asset else "0"
    item = " || U&'\\001F' || ".join(
        (
            "COALESCE(asset, '')",
            "COALESCE(sensor, '')",
            "COALESCE(tag, '')",
            f"CAST({_milliseconds('rt')} + 1 AS STRING)",
            "CASE WHEN good THEN COALESCE(number, '') ELSE '' END",
        )
    )
    return f"""
CREATE TEMPORARY VIEW readings AS
SELECT rt, {shard} AS shard, {item} AS item FROM judged WHERE reason IS NULL"""


def steps_query(spec: JobSpec) -> str:
    """(shard, edge, items): all readings with edge - base step < ts <= edge, in order of arrival."""
    return f"""
SELECT shard, CAST({_milliseconds("window_end")} AS BIGINT) AS edge, LISTAGG(item, U&'\\001E') AS items
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(rt), {_interval(spec.base_step_ms)}))
GROUP BY shard, window_start, window_end"""


def _milliseconds(column: str) -> str:
    return f"(EXTRACT(EPOCH FROM {column}) * 1000 + EXTRACT(MILLISECOND FROM {column}))"


def _with(options: dict[str, str]) -> str:
    return ", ".join(f"{instant_sql.literal(key)} = {instant_sql.literal(value)}" for key, value in options.items())
