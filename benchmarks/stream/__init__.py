"""Readings per second from Kafka to Kafka, compared with a naive job and the JVM alone."""
