"""XLA, the compiler for parts of a fit."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import tensorflow as tf


@cache
def works() -> bool:
    """Whether XLA can compile, tried on a trivial function. TensorFlow logs the first compilation of a process to
    stderr regardless of TF_CPP_MIN_LOG_LEVEL, so stderr is redirected meanwhile."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        tf.function(lambda number: number + 1.0, jit_compile=True)(tf.constant(0.0))
    except tf.errors.OpError:
        return False
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    return True
