"""Readings a second from Kafka to Kafka, beside a naive job and what the JVM alone could do."""
