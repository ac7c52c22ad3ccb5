"""The Flink job: Kafka readings -> decoded batches -> rows -> segments -> Predict -> anomalies.

In the order of the data: `spec` what the job is told · `source` the topic, as bytes · `decode_operator` batches through
Arrow, `decode` what they say, `watermark` event time, `sensor_index` where readings belong · `detect_operator` with
`shard` rows into segments, `grid` (readings onto the grid), `unknown_tags` · `batching`, `predict` the model's answer ·
`alarms`, `alarm_state` episodes and records, `episode_state` what a savepoint has of them · `sinks` topics · `job` the
wiring.

Ships to Flink workers: numpy, orjson, grpcio, protobuf and what pyflink brings.
"""
