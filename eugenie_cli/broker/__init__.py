"""Kafka clients: topics, a producer that reports every lost record, bounded and unbounded reads."""
