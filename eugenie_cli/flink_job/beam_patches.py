"""What Beam's Python worker does with every bundle that costs more than the work in it, taken out.

A live job has dozens of small bundles a second in each operator. Beam brackets each of them with a thread that samples
which step is running, for statistics that Flink never asks for, and ends a bundle by waiting until that thread has
woken up; and it writes state back key by key, waiting for each answer before the next question. Both add up to most of
the time that a reading is under way. Here the thread is not started, and the answers are waited for together.

The classes are internal to the pinned versions of Beam and PyFlink: where they look different, nothing is changed.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

log = logging.getLogger(__name__)

_bundle = threading.local()
"""`answers`: those that the bundle of this thread still waits for, while it writes its state."""


def hasten() -> None:
    """Change the worker that this runs in. Called by every operator; the first call does it."""
    try:
        _without_sampling()
        _with_answers_together()
    except (ImportError, AttributeError) as error:
        log.warning("bundles stay as they are: %s", error)


def _without_sampling() -> None:
    from apache_beam.runners.worker import statesampler

    def start(self: Any) -> None:
        self.tracked_thread = threading.current_thread()
        statesampler.set_current_tracker(self)

    _replace(statesampler.StateSampler, "start", start)


def _with_answers_together() -> None:
    from apache_beam.runners.worker.bundle_processor import SynchronousBagRuntimeState
    from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend

    commit_all = RemoteKeyedStateBackend.commit
    if getattr(commit_all, "hastened", False):
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
            raise RuntimeError(f"state was not written: {problems[0]}")

    ask_all.hastened = True  # type: ignore[attr-defined]
    _replace(SynchronousBagRuntimeState, "commit", ask)
    _replace(RemoteKeyedStateBackend, "commit", ask_all)


def _replace(owner: type, name: str, by: Any) -> None:
    getattr(owner, name)  # AttributeError where the version has no such thing
    setattr(owner, name, by)
