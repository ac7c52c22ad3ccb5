"""Anomalies as they come from Kafka: followed live, listed, shown."""
