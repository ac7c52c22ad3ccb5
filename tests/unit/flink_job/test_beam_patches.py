"""Patched classes of Beam and PyFlink: state is written completely, answers are awaited at the end of the bundle."""

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

beam_patches.apply()
beam_patches.apply()
requests, answered, problem = [], [], ""

class Answer:
    def __init__(self, request):
        self.request = request
    def get(self):
        assert len(requests) == 4, "requests were sent one by one"
        answered.append(self.request)
        return beam_fn_api_pb2.StateResponse(error=problem)

class Handler:
    def clear(self, key):
        requests.append(("clear", key))
        return Answer(requests[-1])
    def extend(self, key, coder, elements):
        requests.append(("extend", key, list(elements)))
        return Answer(requests[-1])

class Backend(RemoteKeyedStateBackend):
    def __init__(self, states):
        self._internal_state_cache, self._all_states = states, {}

def state(key, value):
    bag = bundle_processor.SynchronousBagRuntimeState(Handler(), key, BytesCoder())
    bag.clear()
    bag.add(value)
    return bag

Backend([state("a", b"1"), state("b", b"2")]).commit()
assert requests == [("clear", "a"), ("extend", "a", [b"1"]), ("clear", "b"), ("extend", "b", [b"2"])], requests
assert answered == requests, answered

requests.clear()
problem = "the JVM is full"
try:
    Backend([state("a", b"1"), state("b", b"2")]).commit()
except RuntimeError as error:
    assert "the JVM is full" in str(error)
else:
    raise AssertionError("a failed write went unnoticed")

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
def test_state_is_written_completely_and_bundles_start_no_thread() -> None:
    """In a separate process, because the patches cannot be undone."""
    process = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert process.stdout.strip().endswith("ok"), process.stderr
