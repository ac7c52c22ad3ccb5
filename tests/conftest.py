"""Settings of all tests, and the figures that some of them have to tell."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong: an example has no time limit of its own, only its test has.
settings.register_profile("eugenie", deadline=None)
settings.load_profile("eugenie")

# Tables are as wide as they are in a pipe, whatever terminal the tests or their worker processes think they have.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

_TOLD = "told"


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line with a figure: shown after the run, from whatever process the test ran in."""

    def told(line: str) -> None:
        print(line)
        request.node.user_properties.append((_TOLD, line))

    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        line
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == _TOLD and report.when == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
