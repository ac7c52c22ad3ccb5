"""Readings: turns the records of gateways and exports into (asset, sensor, instant, value, quality).

These modules ship to stream workers. They need the standard library and numpy; `columns` also needs pyarrow and orjson,
Avro needs fastavro, Protobuf needs protobuf. All are pure except `schema_registry`, which queries a schema registry.
`payload` reads a whole message (its format: `payload_formats`), `mapping` one of its records. Every rule applies to
*text* (for a JSON number, its shortest representation); only a number as a value is not made into text. The rules, in
the order in which they apply:

1. identity: `sensor` or `tag` must be present, and an asset with a sensor; otherwise `missing-field`;
2. instant (`timestamps`): absent is `missing-field`, unreadable is `bad-timestamp`;
3. quality (`quality`): absent is good, unreadable is `bad-value`; a reading of bad quality needs no value;
4. value (`values`): absent is `missing-field`, null, empty or a status text is bad quality, other text is
   `bad-value`.
"""

RULES_VERSION = 4
"""Increased whenever a rule change affects readings: items that were imported by older rules are then read again."""
