"""Reads many records at once, as columns, with the same result for each as the scalar rules of the parent package.

Imports and the stream read columns with `instants`, `values`, `qualities` and, for names, `distinct`. `reader` reads
whole messages: `field_paths` locates the parts of a record; `long` and `wide` turn records into columns; `flat_json`
parses flat objects with Arrow; `sensor_index` maps names to places. Ships to stream workers: needs the standard
library, numpy, pyarrow and orjson.
"""
