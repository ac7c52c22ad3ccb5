"""The Flink job: Kafka readings -> SQL front -> rows -> segments -> Predict -> anomalies, in the order of the modules.

`spec` what the job is told · `payload_sql` and `front_sql` the JVM's part · `steps` readings onto the grid ·
`windows` rows into segments · `predict` the model's answer · `alarms` episodes and records · `job` the wiring.
Ships to Flink workers: numpy, grpcio, protobuf and pyflink only.
"""
