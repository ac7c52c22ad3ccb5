"""Many records at once: columns of readings. Says of every record what the scalar rules of `readings` say of it.

Imports and the stream read columns with `instants`, `values`, `qualities` and, for names, `distinct`. `reader` reads
whole messages: `field_paths` where a record has its parts · `long`, `wide` records as columns · `flat_json` flat
objects through Arrow · `sensor_index` the places of names. Ships to stream workers: standard library, numpy, pyarrow
and orjson.
"""
