"""Readings: from what a gateway or an export says to (asset, sensor, instant, value, quality).

These modules ship to stream workers: they need the standard library and numpy, `columns` also pyarrow and orjson, Avro
fastavro. All are pure but `schema_registry`, which asks a schema registry. `payload` reads a whole message, `mapping`
one record of it. Every rule is a rule on *text* (a JSON number is the shortest text of it). Rules, in the order in
which they apply:

1. identity: `sensor` or `tag` must be there, and an asset beside a sensor; otherwise `missing-field`;
2. instant (`timestamps`): absent is `missing-field`, unreadable is `bad-timestamp`;
3. quality (`quality`): absent is good, unreadable is `bad-value`; a reading of bad quality needs no value;
4. value (`values`): absent is `missing-field`, null, empty or a status text is bad quality, other text is
   `bad-value`.
"""

RULES_VERSION = 2
"""Raised whenever a rule changes what a record becomes: what was imported by older rules is then read again."""
