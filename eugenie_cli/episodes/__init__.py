"""From scored rows to anomalies: the on-delay and off-delay state machine, and the records. Pure; ships to Flink."""
