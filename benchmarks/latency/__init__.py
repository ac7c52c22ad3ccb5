"""The delay from the last reading of a row to its score on Kafka, in a running plant."""
