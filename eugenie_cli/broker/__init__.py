"""Apache Kafka, as a client: topics, a producer that loses nothing silently, bounded and endless reads."""
