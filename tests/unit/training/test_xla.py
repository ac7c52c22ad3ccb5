"""A fit with XLA writes nothing to stderr, and equals the fit without XLA."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from test_fit import SETTINGS, fitted

from eugenie_cli.training.devices import Devices, present

pytestmark = pytest.mark.slow

QUIET = """
import eugenie_cli.detection
import tensorflow as tf
from eugenie_cli.training import xla
assert xla.works()
print(float(tf.function(lambda a: 2 * a, jit_compile=True)(tf.constant(4.0))))
"""


@pytest.mark.slow
def test_the_compiler_writes_no_output() -> None:
    run = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("8.0\n", "")


class Interpreted(Devices):
    """The same devices, without the compiler."""

    @property
    def compiles(self) -> bool:
        return False


@pytest.mark.slow
def test_compiled_steps_learn_what_others_learn() -> None:
    devices = present()
    assert devices.compiles
    compiled, interpreted = fitted(devices=devices), fitted(devices=Interpreted(devices.strategy, devices.kind))
    assert len(compiled.epochs) == SETTINGS["epochs"]
    for fast, slow in zip(compiled.epochs, interpreted.epochs, strict=True):
        np.testing.assert_allclose([fast.loss, fast.validation], [slow.loss, slow.validation], rtol=1e-4)
