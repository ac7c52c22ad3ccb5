"""Apache Kafka, Apache Flink and MLflow as local processes that eugenie owns."""
