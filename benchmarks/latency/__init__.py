"""From the last reading of a row to its score on Kafka, while a plant runs."""
