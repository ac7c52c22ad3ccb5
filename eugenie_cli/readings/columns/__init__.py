"""Many records at once: columns of readings, with the same result for each as the scalar rules one package above.

Imports and the stream read columns with `instants`, `values`, `qualities` and, for names, `distinct`. `reader` reads
whole messages: `field_paths` where a record has its parts · `long`, `wide` records as columns · `flat_json` flat
objects through Arrow · `sensor_index` the places of names. Ships to stream workers: standard library, numpy, pyarrow
and orjson.
"""
