"""Detection: network, scoring graph, calibration, baselines, metrics. Independent of files, brokers and servers."""

import logging
import os

# TensorFlow's C++ code logs missing drivers in every process. Errors are still raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its Python code warns if a process uses several models, each with its own graphs, which is intended here.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
