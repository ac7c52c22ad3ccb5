"""The source type `influxdb`: series of InfluxDB, by InfluxQL, which its releases 1, 2 and 3 understand."""
