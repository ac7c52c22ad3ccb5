"""Many messages at once: payloads -> columns of readings. Says of every message what `readings.payload` says of it.

`reader` the whole · `field_paths` where a record has its parts · `long`, `wide` records as columns · `instants`,
`values`, `qualities`, `sensor_index` one column each. Ships to stream workers: standard library, numpy and orjson.
"""
