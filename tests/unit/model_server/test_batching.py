"""The queue: what runs together, what is split, who waits for whom. The model is a function on arrays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import grpc
import numpy as np
import pytest

from eugenie_cli.model_server import batch_delay, batching
from eugenie_cli.model_server.batching import MAX_BATCH_WINDOWS, Batcher
from eugenie_cli.model_server.signature import SignatureSpec, Spec
from eugenie_cli.model_server.status_error import Refusal, invalid

FLOAT = 1


class Doubling:
    """Stands in for a Servable: doubles `x` [B, L], holds runs at `gate`, refuses negative values."""

    signatures = {  # noqa: RUF012
        "double": SignatureSpec("double", {"x": Spec(FLOAT, (-1, -1))}, {"y": Spec(FLOAT, (-1, -1))})
    }

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def windows_per_item(self, inputs: Mapping[str, np.ndarray]) -> int:
        return 1

    def window_of(self, signature: str) -> int | None:
        return None

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.gate.wait(10)
        self.batches.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise invalid("negative")
        return {"y": inputs["x"] * 2}


def with_batcher(scenario, workers: int = 1):
    async def run():
        batcher, model = Batcher(workers), Doubling()
        batcher.start()
        try:
            return await scenario(batcher, model)
        finally:
            model.gate.set()
            batcher.stop()

    return asyncio.run(run())


def column(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.array(values, np.float32)[:, None]}


async def queued(batcher: Batcher, model: Doubling, requests: list) -> list:
    """Hold the worker with one request, let the others wait, then release it."""
    model.gate.clear()
    first = asyncio.ensure_future(batcher.predict(model, "double", column(0)))
    await asyncio.sleep(0.05)
    rest = [asyncio.ensure_future(batcher.predict(model, "double", inputs)) for inputs in requests]
    await asyncio.sleep(0.05)
    model.gate.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_what_waits_runs_together_and_everybody_gets_their_own() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        answers = await queued(batcher, model, [column(1), column(2, 3), column(4)])
        assert [answer["y"].ravel().tolist() for answer in answers] == [[2], [4, 6], [8]]
        assert model.batches == [1, 4]

    with_batcher(scenario)


def test_different_lengths_do_not_run_together() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        long = {"x": np.ones((1, 5), np.float32)}
        answers = await queued(batcher, model, [column(1), long, column(2)])
        assert answers[1]["y"].shape == (1, 5)
        assert sorted(model.batches) == [1, 1, 2]

    with_batcher(scenario)


def test_a_large_request_is_cut_for_all_workers() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        values = np.arange(100, dtype=np.float32)
        answer = await batcher.predict(model, "double", column(*values))
        assert answer["y"].ravel().tolist() == (values * 2).tolist()
        assert max(model.batches) <= MAX_BATCH_WINDOWS
        assert sum(model.batches) == 100

    with_batcher(scenario, workers=2)


def test_only_the_culprit_of_a_batch_fails() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        good, bad, fine = await queued(batcher, model, [column(1), column(-1), column(3)])
        assert good["y"].item() == 2
        assert fine["y"].item() == 6
        assert isinstance(bad, Refusal)
        assert bad.words == "negative"

    with_batcher(scenario)


def test_a_caller_that_left_is_not_computed_for() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        model.gate.clear()
        first = asyncio.ensure_future(batcher.predict(model, "double", column(0)))
        await asyncio.sleep(0.05)
        gone = asyncio.ensure_future(batcher.predict(model, "double", column(1)))
        stays = asyncio.ensure_future(batcher.predict(model, "double", column(2)))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await first
        assert (await stays)["y"].item() == 4
        assert model.batches == [1, 1]

    with_batcher(scenario)


def test_a_full_queue_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_WAITING", 2)

    async def scenario(batcher: Batcher, model: Doubling) -> None:
        answers = await queued(batcher, model, [column(1), column(2), column(3)])
        assert [isinstance(answer, Refusal) for answer in answers] == [False, False, True]
        assert answers[2].code is grpc.StatusCode.UNAVAILABLE

    with_batcher(scenario)


class Windows(Doubling):
    """Sums windows of two rows of `rows` [B, L, S]."""

    signatures = {  # noqa: RUF012
        "double": SignatureSpec("double", {"rows": Spec(FLOAT, (-1, -1, 1))}, {"y": Spec(FLOAT, (-1, -1))})
    }

    def __init__(self) -> None:
        super().__init__()
        self.first: list[float] = []

    def windows_per_item(self, inputs: Mapping[str, np.ndarray]) -> int:
        return max(1, inputs["rows"].shape[1] - 1)

    def window_of(self, signature: str) -> int | None:
        return 2

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = inputs["rows"]
        self.gate.wait(10)
        self.batches.append(rows.shape[0] * (rows.shape[1] - 1))
        self.first += rows[:, 0, 0].tolist()
        return {"y": rows[:, 1:, 0] + rows[:, :-1, 0]}


def rows_of(windows: int, items: int = 1) -> dict[str, np.ndarray]:
    values = np.arange(items * (windows + 1), dtype=np.float32)
    return {"rows": values.reshape(items, windows + 1, 1)}


@pytest.mark.parametrize("windows", [1, 255, 256, 257, 5_000])
@pytest.mark.parametrize("items", [1, 3])
def test_a_long_segment_is_cut_along_its_rows(windows: int, items: int) -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model, inputs = Windows(), rows_of(windows, items)
        answer = await batcher.predict(model, "double", inputs)
        rows = inputs["rows"][:, :, 0]
        np.testing.assert_array_equal(answer["y"], rows[:, 1:] + rows[:, :-1])
        assert max(model.batches) <= MAX_BATCH_WINDOWS and sum(model.batches) == windows * items

    with_batcher(scenario, workers=2)


@pytest.mark.parametrize("small", [1, MAX_BATCH_WINDOWS], ids=["of another length", "as long as a piece"])
def test_a_caller_does_not_wait_for_a_whole_long_segment(small: int) -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model = Windows()
        model.gate.clear()
        long = asyncio.ensure_future(batcher.predict(model, "double", rows_of(50 * MAX_BATCH_WINDOWS)))
        await asyncio.sleep(0.05)
        short = asyncio.ensure_future(batcher.predict(model, "double", {"rows": rows_of(small)["rows"] - 1_000}))
        await asyncio.sleep(0.05)
        model.gate.set()
        await asyncio.gather(short, long)
        assert model.first.index(-1_000) <= 3, "the short request runs after the running piece and one more"

    with_batcher(scenario)


def test_what_is_left_of_a_request_is_dropped_when_its_caller_goes() -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model = Windows()
        model.gate.clear()
        gone = asyncio.ensure_future(batcher.predict(model, "double", rows_of(50 * MAX_BATCH_WINDOWS)))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert (batcher._waiting, batcher._waiting_windows, batcher._held, len(batcher._lanes)) == (0, 0, 0, 0)
        model.gate.set()
        await batcher.predict(model, "double", rows_of(3))
        assert model.batches == [MAX_BATCH_WINDOWS, 3]

    with_batcher(scenario)


def test_a_failed_piece_ends_its_request() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        values = np.full(20 * MAX_BATCH_WINDOWS, -1, np.float32)
        with pytest.raises(Refusal, match="negative"):
            await batcher.predict(model, "double", column(*values))
        assert (batcher._waiting, batcher._waiting_windows, batcher._held, len(batcher._lanes)) == (0, 0, 0, 0)

    with_batcher(scenario)


def test_the_bytes_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_WAITING_BYTES", 12)

    async def scenario(batcher: Batcher, model: Doubling) -> None:
        answers = await queued(batcher, model, [column(1), column(2, 3), column(4)])  # 4 bytes, 8 more, 4 more
        assert [isinstance(answer, Refusal) for answer in answers] == [False, True, False]
        assert answers[1].code is grpc.StatusCode.RESOURCE_EXHAUSTED and "not answered yet" in answers[1].words
        # a large request is served if no other waits: it could never run otherwise
        assert (await batcher.predict(model, "double", column(*range(9))))["y"].shape == (9, 1)

    with_batcher(scenario)


def test_a_request_that_could_never_be_in_the_queue_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_WAITING", 4)
    monkeypatch.setattr(batching, "LARGEST_REQUEST", 4 * MAX_BATCH_WINDOWS)

    async def scenario(batcher: Batcher, _: Doubling) -> None:
        for windows, items in (
            (4 * MAX_BATCH_WINDOWS + 1, 1),
            (MAX_BATCH_WINDOWS + 1, 3),
            (1, 4 * MAX_BATCH_WINDOWS + 1),
        ):
            with pytest.raises(Refusal, match="send them in parts") as refused:
                await batcher.predict(Windows(), "double", rows_of(windows, items))
            assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert batcher._held == 0

    with_batcher(scenario)


def test_stop_finishes_what_waits() -> None:
    async def scenario(batcher: Batcher, model: Doubling) -> None:
        waiting = [asyncio.ensure_future(batcher.predict(model, "double", column(n))) for n in range(50)]
        await asyncio.sleep(0)
        batcher.stop()
        assert [(await answer)["y"].item() for answer in waiting] == [2 * n for n in range(50)]

    with_batcher(scenario)


class Stepping(Doubling):
    """Each run waits for a permit."""

    def __init__(self) -> None:
        super().__init__()
        self.permits = threading.Semaphore(0)
        self.begun = 0

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.begun += 1
        self.permits.acquire(timeout=10)
        return super().run(signature, inputs)


async def crowded(batcher: Batcher, model: Stepping) -> list[asyncio.Future]:
    """Two runs that end with two requests waiting: those are delayed until four wait, or for very long."""

    def ask() -> asyncio.Future:
        return asyncio.ensure_future(batcher.predict(model, "double", column(1)))

    running = [ask()]
    for number in range(batch_delay.CROWDED):
        while model.begun == number:
            await asyncio.sleep(0.001)
        waiting = [ask(), ask()]
        await asyncio.sleep(0.05)
        model.permits.release()
        await asyncio.gather(*running)
        running = waiting
    await asyncio.sleep(0.05)
    assert model.begun == batch_delay.CROWDED, "the waiting requests are delayed"
    model.permits.release(10)
    return running


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_delay, "PATIENCE", 1e9)


@pytest.mark.usefixtures("patience")
def test_in_a_crowd_the_next_run_waits_for_company() -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model = Stepping()
        put_off = await crowded(batcher, model)
        company = [asyncio.ensure_future(batcher.predict(model, "double", column(2))) for _ in range(2)]
        await asyncio.gather(*put_off, *company)
        assert model.batches == [1, 2, 4]

    with_batcher(scenario, workers=2)


@pytest.mark.usefixtures("patience")
def test_requests_that_cannot_be_joined_end_the_wait() -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model = Stepping()
        put_off = await crowded(batcher, model)
        other = batcher.predict(model, "double", {"x": np.ones((1, 5), np.float32)})
        await asyncio.gather(*put_off, asyncio.ensure_future(other))
        assert sorted(model.batches) == [1, 1, 2, 2]

    with_batcher(scenario)


@pytest.mark.usefixtures("patience")
def test_the_end_of_the_server_ends_the_wait() -> None:
    async def scenario(batcher: Batcher, _: Doubling) -> None:
        model = Stepping()
        put_off = await crowded(batcher, model)
        await asyncio.to_thread(batcher.stop)
        assert [answer["y"].item() for answer in await asyncio.gather(*put_off)] == [2, 2]

    with_batcher(scenario, workers=2)
