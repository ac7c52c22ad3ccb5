"""Why readings are rejected: the closed list that imports, dead letters and their counts share."""

from __future__ import annotations

BAD_JSON = "bad-json"  # not JSON, or neither an object nor an array of objects
BAD_AVRO = "bad-avro"  # not framed, with an unknown schema, or not matching its schema
BAD_PROTOBUF = "bad-protobuf"  # the same for Protobuf
BAD_INFLUX = "bad-influx"  # a line that is not of InfluxDB's line protocol
TOO_LARGE = "too-large"  # the payload is longer than any that a gateway sends
MISSING_FIELD = "missing-field"  # no timestamp, sensor, tag, asset or value where the mapping looks for it
BAD_TIMESTAMP = "bad-timestamp"  # unreadable, or a local time that occurs twice or never
BAD_VALUE = "bad-value"  # a value or quality that is neither a number nor a known text
UNKNOWN_TAG = "unknown-tag"  # an asset, sensor or tag that the site does not have
LATE = "late"  # its row in the stream is complete
FUTURE = "future"  # further ahead of the clock than the stream allows
RESET = "reset"  # it waited for its row when the state of its asset was reset

REASONS = (
    *(BAD_JSON, BAD_AVRO, BAD_PROTOBUF, BAD_INFLUX, TOO_LARGE),
    *(MISSING_FIELD, BAD_TIMESTAMP, BAD_VALUE, UNKNOWN_TAG, LATE, FUTURE, RESET),
)
