"""Programs over PyFlink's own state backend and Beam's own in-memory state server, for a process of their own.

`python fn_api.py plain|patched|failing|keys|gauges`: prints JSON. State of several keys is read and written at random,
as the operators do, in bundles; the caches are small, so that state is written in the middle of bundles, too.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from typing import Any

from apache_beam.metrics.execution import MetricsContainer
from apache_beam.metrics.monitoring_infos import extract_gauge_value
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import StateServicer
from apache_beam.runners.worker import sdk_worker, statesampler
from apache_beam.utils.counters import CounterFactory
from pyflink.common import Row, Types
from pyflink.fn_execution.coders import from_type_info
from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup
from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend

from eugenie_cli.flink_job import beam_patches
from eugenie_cli.flink_job.changed_gauges import ChangedGauges
from eugenie_cli.flink_job.key_context import KeyContext
from eugenie_cli.flink_job.key_groups import keys

SHARDS, BUNDLES, STEPS = 8, 40, 30


class Answer(sdk_worker._Future):
    """A pending answer, as over gRPC, which notes that it was waited for."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self._server, self._number = server, number
        self.set(beam_fn_api_pb2.StateResponse(error=server.problem))

    def get(self, timeout: float | None = None) -> Any:
        self._server.awaited.append(self._number)
        return super().get(timeout)


class Server(StateServicer):
    """Beam's state server, which notes the order of the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, ...]] = []
        self.awaited: list[int] = []
        self.problem = ""

    def append_raw(self, state_key: Any, data: bytes) -> Any:
        super().append_raw(state_key, data)
        return self._note("append", state_key, data)

    def clear(self, state_key: Any) -> Any:
        super().clear(state_key)
        return self._note("clear", state_key, b"")

    def _note(self, verb: str, state_key: Any, data: bytes) -> Answer:
        bag = state_key.bag_user_state
        self.requests.append((verb, bag.user_state_id, bag.key.hex(), bytes(data).hex()))
        return Answer(self, len(self.requests) - 1)


class Context:
    """The part of PyFlink's runtime context that holds the backend."""

    def __init__(self, backend: RemoteKeyedStateBackend) -> None:
        self._keyed_state_backend = backend


def backend(server: Server, cache: int = 3) -> RemoteKeyedStateBackend:
    handler = sdk_worker.GlobalCachingStateHandler(sdk_worker.StateCache(0), server)
    handler._context.user_state_cache_token = None
    handler._context.side_input_cache_tokens = {}
    handler._context.bundle_cache_token = b"bundle"
    return RemoteKeyedStateBackend(handler, from_type_info(Types.ROW([Types.INT()])), None, cache, 0, 0)


def states() -> dict[str, Any]:
    """What was read in a random program, what was requested, what was awaited at the end of each bundle."""
    chance, server = random.Random(1), Server()
    keyed = backend(server)
    current = KeyContext(Context(keyed), SHARDS)
    pickled = from_type_info(Types.PICKLED_BYTE_ARRAY())
    value, journal = keyed.get_value_state("rows", pickled), keyed.get_list_state("journal", pickled)
    read: list[Any] = []
    unawaited = []
    for bundle in range(BUNDLES):
        for step in range(chance.randrange(STEPS)):
            current.turn_to(chance.randrange(SHARDS))
            for state, write in ((value, value.update), (journal, journal.add)):
                match chance.randrange(4):
                    case 0:
                        write({"bundle": bundle, "step": step})
                    case 1:
                        state.clear()
                    case 2:
                        read.append(value.value() if state is value else list(journal.get() or []))
        before = len(server.requests)
        server.awaited.clear()
        keyed.commit()
        unawaited.append(len(server.requests) - before - len(set(server.awaited)))
    final = []
    for shard in range(SHARDS):
        current.turn_to(shard)
        final.append([value.value(), list(journal.get() or [])])
    return {"read": read, "requests": server.requests, "unawaited": sum(unawaited), "final": final}


def sampling() -> dict[str, Any]:
    """What operators see of the sampler, in three bundles; and how many threads it started."""
    sampler = statesampler.StateSampler("bundle", CounterFactory())
    process, finish = sampler.scoped_state("detect", "process"), sampler.scoped_state("detect", "finish")
    threads, seen = [], []
    for _bundle in range(3):
        before = set(threading.enumerate())
        sampler.start()
        begun = set(threading.enumerate()) - before
        threads.append(sum(thread.name.endswith("(run)") for thread in begun))  # others may begin or end meanwhile
        seen.append(statesampler.get_current_tracker() is sampler)
        for state in (process, finish):
            with state:
                seen.append(str(sampler.current_state().name))
                seen.append(sampler.get_info().tracked_thread is threading.current_thread())
            seen.append(str(sampler.current_state().name))
        seen.append(sampler.get_info().transition_count)
        sampler.stop_if_still_running()
        sampler.commit_counters()
        sampler.reset()
    return {"threads": threads, "seen": seen}


def keys_of_state() -> dict[str, Any]:
    """The key that a request carries: after `turn_to`, and as PyFlink sets it for an element of that key."""
    sent: dict[str, list[str]] = {}
    for how in ("turn_to", "element"):
        server = Server()
        keyed = backend(server, 0)
        current = KeyContext(Context(keyed), SHARDS)
        value = keyed.get_value_state("rows", from_type_info(Types.PICKLED_BYTE_ARRAY()))
        for shard in range(SHARDS):
            if how == "turn_to":
                current.turn_to(shard)
            else:
                keyed.set_current_key(Row(keys(SHARDS)[shard]))
            value.update(shard)
            keyed.commit()
        sent[how] = [key for _, _, key, _ in server.requests]
    return sent


def failing() -> dict[str, str]:
    """What a bundle raises whose first write fails."""
    server = Server()
    keyed = backend(server)
    current = KeyContext(Context(keyed), SHARDS)
    value = keyed.get_value_state("rows", from_type_info(Types.PICKLED_BYTE_ARRAY()))
    for shard in range(2):
        current.turn_to(shard)
        value.update(shard)
    server.problem = "the JVM is full"
    try:
        keyed.commit()
    except RuntimeError as error:
        return {"error": str(error)}
    return {}


def gauges() -> list[dict[str, int]]:
    """The gauges that each of four bundles reports, by their full names; three bundles set some."""
    container = MetricsContainer("detect")
    sampler = statesampler.StateSampler("bundle", CounterFactory())
    process = sampler.scoped_state("detect", "process", metrics_container=container)
    changed, reported = ChangedGauges(GenericMetricGroup(None, None), "asset"), []
    for bundle in (
        [("p 1", "clockMs", 7), ("p2", "lateReadings", 1)],
        [("p 1", "clockMs", -(2**40))],
        [],
        [("p2", "x", 0)],
    ):
        sampler.start()
        with process:
            for figure in bundle:
                changed.set(*figure)
        sampler.stop_if_still_running()
        infos = container.to_runner_api_monitoring_infos("detect").values()
        reported.append({f"{i.labels['NAMESPACE']} {i.labels['NAME']}": extract_gauge_value(i)[1] for i in infos})
        container.reset()
        sampler.reset()
    return reported


def everything() -> dict[str, Any]:
    return {"states": states(), "sampling": sampling()}


PROGRAMS = {"plain": everything, "patched": everything, "failing": failing, "keys": keys_of_state, "gauges": gauges}

if __name__ == "__main__":
    program = sys.argv[1]
    if program in ("patched", "failing"):
        beam_patches.apply()
        beam_patches.apply()
    print(json.dumps(PROGRAMS[program]()))
