"""The Flink job: Kafka readings -> decoded batches -> rows -> segments -> Predict -> anomalies.

Modules in the order of the data:

- `spec`: the job's specification; `source`: the readings topic, as bytes
- `decode_operator`: batches through Arrow; `decode`: their content; `watermark`: event time; `sensor_index`: where each
  reading belongs
- `detect_operator`: the keyed operator; `shard`: rows and segments; `grid`: readings onto the grid; `unknown_tags`,
  `name_groups`
- `batching`, `predict`: calls of the model server
- `alarms`, `alarm_state`: episodes and records; `episode_state`: episodes in a savepoint
- `sinks`: the result topics; `job`: the wiring
- `key_context`, `beam_patches`: private parts of PyFlink and Beam; `tested_versions`: of which releases

Ships to Flink workers. Needs only numpy, orjson, grpcio, protobuf and the dependencies of pyflink.
"""
