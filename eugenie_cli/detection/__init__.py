"""Detection: network, scoring graph, calibration, baselines, metrics. Knows no file, broker or server."""

import logging
import os

# TensorFlow's C++ side greets every process with lines about drivers that are not there. Errors still raise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# And its Python side warns where several models are at work: each has graphs of its own, which is meant.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
