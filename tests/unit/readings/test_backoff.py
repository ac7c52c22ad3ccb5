"""Pauses between attempts: doubled up to a limit, for any number of failures."""

from __future__ import annotations

from eugenie_cli.readings.backoff import pause_s


def test_the_first_attempt_is_immediate_and_pauses_double():
    assert [pause_s(failures, 0.1, 5.0) for failures in range(8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]


def test_after_very_many_failures_the_pause_is_the_longest():
    assert pause_s(10**9, 1.0, 60.0) == 60.0
