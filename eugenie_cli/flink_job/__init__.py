"""The Flink job: Kafka readings -> decoded batches -> rows -> segments -> Predict -> anomalies.

Modules in the order of the data:

- `spec`: the job's specification; `source`: the readings topic, as bytes
- `decode_operator`: batches through Arrow; `decode`: their content; `sensor_index`: where each reading belongs;
  `share`: what a task receives; `frontier`: event time, for display
- `detect_operator`: the keyed operator; `task_rows`: rows and segments; `asset_clocks`, `newest_instants`,
  `partition_progress`, `listening`: which rows are complete; `grid`: readings onto the grid; `arrival_delays`: delayed
  rows; `last_readings`: repeated ones; `rows_before`: rows of former jobs; `unknown_tags`,
  `name_groups`, `late_letters`
- `predict`: calls of the model server; `snapshot_journal`: rows in Flink's state; `asset_reset`: without some assets
- `task_counts`: counts in Flink's state; `read_offsets`: whether the topic is still the same
- `alarms`, `alarm_state`: episodes and records; `episode_state`: episodes in a savepoint
- `asset_reports`, `changed_gauges`: figures of assets whose clocks or readings are wrong
- `sinks`: the result topics; `job`: the wiring
- `key_context`, `beam_patches`: private parts of PyFlink and Beam; `tested_versions`: of which releases

Ships to Flink workers. Needs only numpy, orjson, grpcio, protobuf and the dependencies of pyflink.
"""
