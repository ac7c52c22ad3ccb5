"""A benchmark one of whose processes dies says so at once: which, how, and what it wrote last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common import child_process, engines, sending, waiting
from benchmarks.common.child_process import LAST_LINES, DeadProcessError
from benchmarks.common.plant import Plant
from eugenie_cli.engines import process
from eugenie_cli.engines.launcher import log_file, run_file
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

ROOT = Path(__file__).parents[3]
LONG_S = 60.0
"""Longer than any of these tests may take: who waits this long has not noticed."""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys, time\n{code}"]


LIVES = python("print('alive', file=sys.stderr, flush=True); time.sleep(600)")


def await_end(child: child_process.Child) -> None:
    child._process.wait(LONG_S)


def noticed_within(seconds: float, wait: Callable[[], object], match: str) -> str:
    began = time.monotonic()
    with pytest.raises(DeadProcessError, match=match) as raised:
        wait()
    assert time.monotonic() - began < seconds
    return raised.value.reason


# -- a process that a benchmark started ---------------------------------------------------------------------


@pytest.mark.slow
def test_one_that_dies_while_it_is_waited_for_is_named_with_its_exit_status_and_its_last_words() -> None:
    dies = python("print('all is well', file=sys.stderr)\ntime.sleep(0.5)\nsys.exit('BufferError: Local: Queue full')")

    def wait() -> None:
        with child_process.running("the gateway", dies) as gateway:
            waiting.sleep(LONG_S, gateway.check, 0.05)

    said = noticed_within(20, wait, "^the gateway ended with exit status 1; ")
    assert said.splitlines()[1:] == ["  all is well", "  BufferError: Local: Queue full"]


def test_one_that_is_killed_is_named_with_the_signal() -> None:
    def wait() -> None:
        with child_process.running("it", python("os.kill(os.getpid(), signal.SIGKILL)")) as child:
            waiting.until(lambda: False, LONG_S, "nothing came", child.check, 0.05)

    noticed_within(20, wait, r"^it was ended by SIGKILL; its last lines on stderr: none$")


def test_one_that_ends_early_has_died_even_with_exit_status_0() -> None:
    def wait() -> None:
        with child_process.running("it", python("pass")) as child:
            await_end(child)

    noticed_within(20, wait, "^it ended with exit status 0;")


def test_an_error_of_the_block_is_told_as_the_death_that_caused_it() -> None:
    with pytest.raises(DeadProcessError, match="exit status 7") as raised:  # noqa: SIM117 - the order is the point
        with child_process.running("it", python("sys.exit(7)")) as child:
            await_end(child)
            raise ConnectionResetError("by peer")
    assert isinstance(raised.value.__cause__, ConnectionResetError)


def test_an_error_of_the_block_is_its_own_while_the_process_lives() -> None:
    with pytest.raises(ConnectionResetError), child_process.running("it", LIVES):
        raise ConnectionResetError("by peer")


@pytest.mark.slow
def test_one_that_lives_is_ended_with_the_block_by_the_signal_that_it_asks_for() -> None:
    for asked in (signal.SIGTERM, signal.SIGUSR1):
        with child_process.running("it", LIVES, ended_by=asked) as child:
            waiting.sleep(0.5, child.check, 0.05)
        assert child._process.returncode == -asked


def test_its_stderr_is_passed_on_as_it_comes_and_its_end_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    count = 3 * LAST_LINES
    with pytest.raises(DeadProcessError) as raised:
        child_process.run("it", python(f"sys.exit('\\n'.join(map(str, range({count}))))"))
    assert capsys.readouterr().err.split() == [str(number) for number in range(count)]
    assert raised.value.reason.splitlines()[1:] == [f"  {number}" for number in range(count - LAST_LINES, count)]


def test_one_that_is_run_to_its_end_may_only_end_well() -> None:
    child_process.run("it", python("print('out')"), stdout=subprocess.DEVNULL)
    with pytest.raises(DeadProcessError, match="it ended with exit status 3"):
        child_process.run("it", python("sys.exit(3)"))


# -- an engine ----------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Plant(1).site(tmp_path)


def start(site: Site, name: str, argv: list[str]) -> process.Process:
    workspace = workspace_of(site)
    return process.start_detached(
        name, argv, env=process.minimal_env(), log=log_file(workspace, name), run_file=run_file(workspace, name)
    )


def test_an_engine_that_dies_is_named_with_its_exit_status_and_the_end_of_its_log(site: Site) -> None:
    start(site, "kafka", python("print('No space left on device')\nsys.exit(7)"))
    said = noticed_within(
        20,
        lambda: waiting.sleep(LONG_S, lambda: engines.check(site), 0.05),
        r"^kafka ended with exit status 7; the end of .*kafka\.log:",
    )
    assert said.splitlines()[1:] == ["  No space left on device"]


def test_engines_that_live_or_were_stopped_are_no_deaths(site: Site) -> None:
    lives = start(site, "kafka", LIVES)
    stopped = start(site, "serving", LIVES)
    run = workspace_of(site).run
    (run / "stream.json").write_text('{"job_id": "1", "flink": ""}')
    try:
        process.stop(run / "serving.json")
        engines.check(site)
        assert process.identify(run / "kafka.json") == lives != stopped
    finally:
        process.stop(run / "kafka.json")


def test_an_error_of_a_client_is_told_as_the_death_of_its_engine(site: Site) -> None:
    victim = start(site, "serving", LIVES)
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(DeadProcessError, match=r"^serving (was ended by SIGKILL|died);"), engines.watched(site):
        deadline = time.monotonic() + 20
        while process.identify(run_file(workspace_of(site), "serving")) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise EugenieError("StatusCode.UNAVAILABLE")


def test_a_death_that_was_noticed_is_told_although_cleaning_up_failed_for_it(site: Site) -> None:
    with pytest.raises(DeadProcessError, match=r"^kafka ended"), engines.watched(site):
        try:
            raise DeadProcessError("kafka ended with exit status 1")
        finally:
            raise EugenieError("the job cannot be cancelled: nobody answers")


# -- a broker that takes nothing yet ------------------------------------------------------------------------


class SlowBroker:
    """A producer whose queue is full for the first `full` attempts."""

    def __init__(self, full: int) -> None:
        self.full = full
        self.taken: list[bytes] = []

    def produce(self, _topic: str, value: bytes, _key: str) -> None:
        if self.full > 0:
            self.full -= 1
            raise BufferError("Local: Queue full")
        self.taken.append(value)

    def poll(self, _timeout: float) -> int:
        return 0

    def __len__(self) -> int:
        return 100_000


def test_a_full_queue_is_waited_for_and_no_message_is_lost() -> None:
    broker = SlowBroker(full=3)
    for value in (b"1", b"2"):
        sending.send(broker, "readings", value, "key")
    assert broker.taken == [b"1", b"2"]


def test_a_queue_that_stays_full_is_given_up_after_a_while() -> None:
    with pytest.raises(TimeoutError, match=r"taken no message for 0 s: 100,000 messages are queued"):
        sending.send(SlowBroker(full=10**9), "readings", b"", "key", within_s=0.05)


def test_a_broker_that_died_is_not_waited_for() -> None:
    def check() -> None:
        raise DeadProcessError("kafka was ended by SIGKILL")

    with pytest.raises(DeadProcessError):
        sending.send(SlowBroker(full=10**9), "readings", b"", "key", check)


@pytest.mark.slow
def test_the_gateway_waits_for_a_broker_and_says_when_it_gives_up() -> None:
    """The real one, whose readings of the past are more than its queue holds, and no broker."""
    argv = [sys.executable, "-m", "benchmarks.latency.producer", "--bootstrap", "127.0.0.1:9", "--topic", "readings"]
    argv += ["--assets", "125", "--past", "130", "--patience", "1"]

    def wait() -> None:
        with child_process.running("the gateway", argv, echo=False, cwd=ROOT) as gateway:
            waiting.sleep(300, gateway.check, 0.1)

    said = noticed_within(240, wait, "^the gateway ended with exit status 1;")
    assert "the broker has taken no message for 1 s" in said
    assert "Traceback" not in said
