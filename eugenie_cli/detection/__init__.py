"""Detection: network, scoring graph, calibration, baselines, metrics. Knows no file, broker or server."""

import os

# TensorFlow's C++ side greets every process with lines about drivers that are not there. Errors still raise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
