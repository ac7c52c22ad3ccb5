"""Patches Beam's Python worker to remove per-bundle overhead that costs more than the work in the bundle.

A live job processes dozens of small bundles a second in each operator. For each of them, Beam starts a thread that
samples which step is running, for statistics that Flink never reads, and ends the bundle by waiting until that thread
has woken up. It also writes state key by key, waiting for each answer before the next request. Together these make up
most of a reading's latency. With the patches the thread is not started, and all answers are awaited together.

The classes are internal to the tested releases of Beam and PyFlink. With others nothing is patched, and the log says
so.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from eugenie_cli.flink_job import tested_versions

log = logging.getLogger(__name__)

_bundle = threading.local()
"""`answers`: pending answers of this thread's bundle while it writes its state."""


def apply() -> None:
    """Patch the current worker process. Every operator calls this; only the first call has an effect."""
    others = tested_versions.others()
    if others:
        log.warning("Beam is not patched, so every bundle takes longer: the worker has %s", others)
        return
    _without_sampling()
    _await_answers_together()


def _without_sampling() -> None:
    from apache_beam.runners.worker import statesampler

    def start(self: Any) -> None:
        self.tracked_thread = threading.current_thread()
        statesampler.set_current_tracker(self)

    _replace(statesampler.StateSampler, "start", start)


def _await_answers_together() -> None:
    from apache_beam.runners.worker.bundle_processor import SynchronousBagRuntimeState
    from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend

    commit_all = RemoteKeyedStateBackend.commit
    if getattr(commit_all, "is_patched", False):
        return
    commit_one = SynchronousBagRuntimeState.commit

    def ask(self: Any) -> None:
        answers = getattr(_bundle, "answers", None)
        if answers is None:  # not at the end of a bundle
            commit_one(self)
            return
        if self._cleared:
            answers.append(self._state_handler.clear(self._state_key))
        if self._added_elements:
            coder = self._value_coder.get_impl()
            answers.append(self._state_handler.extend(self._state_key, coder, self._added_elements))

    def ask_all(self: Any) -> None:
        answers: list[Any] = []
        _bundle.answers = answers
        try:
            commit_all(self)
        finally:
            _bundle.answers = None
        problems = [problem for answer in answers if (problem := answer.get().error)]
        if problems:
            raise RuntimeError(f"Flink did not write the state: {problems[0]}")

    ask_all.is_patched = True  # type: ignore[attr-defined]
    _replace(SynchronousBagRuntimeState, "commit", ask)
    _replace(RemoteKeyedStateBackend, "commit", ask_all)


def _replace(owner: type, name: str, by: Any) -> None:
    getattr(owner, name)  # raises AttributeError: the tested releases have it
    setattr(owner, name, by)
