"""Waiting for what tells nobody: asked at least once, and never longer than allowed."""

from __future__ import annotations

import time

import pytest

from eugenie_cli.polling import wait_until


def test_what_is_true_already_is_not_waited_for():
    began = time.monotonic()
    assert wait_until(lambda: True, within_s=0, every_s=60)
    assert time.monotonic() - began < 1


def test_it_is_asked_until_it_is_true():
    answers = iter([0, [], "there"])
    assert wait_until(lambda: next(answers), within_s=60, every_s=0)
    assert list(answers) == []


def test_what_never_comes_true_is_asked_once_at_least():
    asked = []
    assert not wait_until(lambda: asked.append(1), within_s=0, every_s=0)
    assert asked == [1]
    assert not wait_until(lambda: False, within_s=0.05, every_s=0.01)


def test_what_asking_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, within_s=60, every_s=0)
