"""Detection: network, scoring graph, calibration, baselines, metrics. Knows no file, broker or server."""
