"""Anomalies read from Kafka: followed live, listed, shown."""
