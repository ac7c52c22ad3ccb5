"""Beam's and PyFlink's own classes, hastened: state arrives whole, answers are waited for at the bundle's end."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import threading
from apache_beam.coders import BytesCoder
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker import bundle_processor, statesampler
from apache_beam.utils.counters import CounterFactory
from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend
from eugenie_cli.flink_job import beam_patches

beam_patches.hasten()
beam_patches.hasten()
asked, waited, problem = [], [], ""

class Answer:
    def __init__(self, question):
        self.question = question
    def get(self):
        assert len(asked) == 4, "asked one after the other"
        waited.append(self.question)
        return beam_fn_api_pb2.StateResponse(error=problem)

class Handler:
    def clear(self, key):
        asked.append(("clear", key))
        return Answer(asked[-1])
    def extend(self, key, coder, elements):
        asked.append(("extend", key, list(elements)))
        return Answer(asked[-1])

class Backend(RemoteKeyedStateBackend):
    def __init__(self, states):
        self._internal_state_cache, self._all_states = states, {}

def state(key, value):
    made = bundle_processor.SynchronousBagRuntimeState(Handler(), key, BytesCoder())
    made.clear()
    made.add(value)
    return made

Backend([state("a", b"1"), state("b", b"2")]).commit()
assert asked == [("clear", "a"), ("extend", "a", [b"1"]), ("clear", "b"), ("extend", "b", [b"2"])], asked
assert waited == asked, waited

asked.clear()
problem = "the JVM is full"
try:
    Backend([state("a", b"1"), state("b", b"2")]).commit()
except RuntimeError as error:
    assert "the JVM is full" in str(error)
else:
    raise AssertionError("a write that failed went unnoticed")

before = threading.active_count()
sampler = statesampler.StateSampler("bundle", CounterFactory())
for _ in range(3):
    sampler.start()
    assert threading.active_count() == before
    sampler.stop_if_still_running()
    sampler.reset()
print("ok")
"""


@pytest.mark.slow
def test_state_is_written_whole_and_bundles_start_no_thread() -> None:
    """In a process of its own: the classes are changed for good."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip().endswith("ok"), done.stderr
