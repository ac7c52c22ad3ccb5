"""The Flink job: Kafka readings -> decoded batches -> rows -> segments -> Predict -> anomalies.

In the order of the data: `spec` what the job is told · `source` the topic, as bytes · `front` batches through Arrow,
`decode` what they say, `clock` event time, `routes` where readings belong · `windows` rows into segments, with `shard`,
`steps` (readings onto the grid), `waiting` (what waits for its row), `strange` (unknown tags) · `predict` the model's
answer · `alarms`, `desk` episodes and records, `kept` what a savepoint has of them · `sinks` topics · `job` the wiring.

Ships to Flink workers: numpy, orjson, grpcio, protobuf and what pyflink brings.
"""
