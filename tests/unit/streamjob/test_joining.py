"""Small batches share a call, each gets its own part of the answer, and an error reaches all who share it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from eugenie_cli.serving.client import Prediction
from eugenie_cli.streamjob.joining import LARGE, Joined
from eugenie_cli.streamjob.steps import Batch

WINDOW = 4


def batch(assets: str, steps: int = 1, class_name: str = "pump") -> Batch:
    """An asset's rows are full of the code of its letter."""
    rows = np.array([np.full((WINDOW - 1 + steps, 2), ord(name)) for name in assets], np.float32)
    counts = np.ones((len(assets), steps), np.int32)
    return Batch(class_name, tuple(assets), 1_000, 1_000, rows, counts, counts * 0)


class Server:
    """Answers with what it was asked, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []

    async def ask(self, class_name: str, assets: Sequence[str], rows: np.ndarray) -> Prediction:
        self.calls.append((class_name, "".join(assets), rows.shape[1]))
        await asyncio.sleep(0.001)
        if "x" in assets:
            raise ValueError("no x")
        steps = rows.shape[1] - WINDOW + 1
        return Prediction(rows[:, -steps:, 0], rows[:, -steps:], rows[:, -steps:], 7)


def predict(batches: list[Batch]) -> tuple[Server, list[Prediction | BaseException]]:
    async def together() -> list[Prediction | BaseException]:
        joined = Joined(server.ask)
        return await asyncio.gather(*map(joined.predict, batches), return_exceptions=True)

    server = Server()
    return server, asyncio.run(together())


def test_small_batches_of_a_class_and_length_share_a_call() -> None:
    batches = [batch("ab"), batch("c"), batch("d", steps=2), batch("e", class_name="fan"), batch("fgh")]
    server, answers = predict(batches)
    assert sorted(server.calls) == [("fan", "e", WINDOW), ("pump", "abcfgh", WINDOW), ("pump", "d", WINDOW + 1)]
    for asked, answer in zip(batches, answers, strict=True):
        assert answer.score.shape == asked.readings.shape and answer.version == 7
        assert answer.contribution.shape == answer.expected.shape == (*asked.readings.shape, 2)
        assert [chr(int(code)) for code in answer.score[:, 0]] == list(asked.assets)


def test_a_large_batch_goes_by_itself() -> None:
    server, _ = predict([batch("a"), batch("b", steps=LARGE), batch("c", steps=LARGE)])
    lengths = [(assets, length) for _, assets, length in server.calls]
    assert sorted(lengths) == [("a", WINDOW), ("b", WINDOW - 1 + LARGE), ("c", WINDOW - 1 + LARGE)]


def test_an_error_reaches_everybody_in_the_call_and_nobody_else() -> None:
    _, answers = predict([batch("a"), batch("x"), batch("c", steps=2)])
    assert [type(answer) for answer in answers] == [ValueError, ValueError, Prediction]


def test_a_caller_that_gave_up_spoils_nothing() -> None:
    async def together() -> Prediction:
        joined = Joined(Server().ask)
        gone, stays = (asyncio.ensure_future(joined.predict(batch(name))) for name in "ab")
        await asyncio.sleep(0)
        gone.cancel()
        answer = await stays
        with pytest.raises(asyncio.CancelledError):
            await gone
        return answer

    assert asyncio.run(together()).score[0, 0] == ord("b")
