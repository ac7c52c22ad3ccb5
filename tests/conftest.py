"""Settings of all tests, and the figures that some of them have to tell."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong: an example has no time limit of its own, only its test has.
settings.register_profile("eugenie", deadline=None)
settings.load_profile("eugenie")

# Tables are as wide as they are in a pipe, whatever terminal the tests or their worker processes think they have.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# A run keeps the reports of thousands of tests: collecting garbage every 700 objects only costs time.
gc.set_threshold(10_000)

_SHORT = 60
_TOLD = "told"
_LIMIT_S = 1.0
_NAMED = 10
"""The summary of a run lists at most this many unmarked unit tests that took longer than the limit."""


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without garbage collection: imported modules stay, and scanning them takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Content of files is no part of a test's name: processes must agree on names, and files hold times."""
    is_content = isinstance(val, bytes) and (len(val) > _SHORT or not val.decode("latin-1").isprintable())
    return argname if is_content else None


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line with a figure: shown after the run, from whatever process the test ran in."""

    def told(line: str) -> None:
        print(line)
        request.node.user_properties.append((_TOLD, line))

    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.getreports("passed")
    lines = [
        line for report in passed for name, line in report.user_properties if name == _TOLD and report.when == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
    long = sorted(
        (report.duration, report.nodeid)
        for report in passed
        if report.when == "call" and report.duration > _LIMIT_S and _is_quick(report)
    )
    if long:
        terminalreporter.section(f"unit tests over {_LIMIT_S} s that are not marked as slow")
        terminalreporter.write_line("\n".join(f"{seconds:.2f}s {test}" for seconds, test in long[: -_NAMED - 1 : -1]))


def _is_quick(report: pytest.TestReport) -> bool:
    """Whether `make unit` runs the test."""
    return report.nodeid.startswith("tests/unit/") and "slow" not in report.keywords
