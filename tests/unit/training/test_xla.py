"""A fit with XLA says no word on stderr, and is the fit without it."""

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


def test_the_compiler_is_not_heard() -> None:
    run = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("8.0\n", "")


class Interpreted(Devices):
    """The same devices, without the compiler."""

    @property
    def compiles(self) -> bool:
        return False


def test_compiled_steps_learn_what_others_learn() -> None:
    here = present()
    assert here.compiles
    compiled, interpreted = fitted(devices=here), fitted(devices=Interpreted(here.strategy, here.kind))
    assert len(compiled.epochs) == SETTINGS["epochs"]
    for one, other in zip(compiled.epochs, interpreted.epochs, strict=True):
        np.testing.assert_allclose([one.loss, one.validation], [other.loss, other.validation], rtol=1e-4)
