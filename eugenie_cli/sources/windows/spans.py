"""Cuts a window into spans that the server and memory bear: halved when too much, grown while that goes well."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.failures import TooMuchError
from eugenie_cli.sources.windows.plan import within_span
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span

FIRST_MS = 3_600_000
SHORTEST_MS = 1_000


class SpanWidth:
    """The width of the next span, learnt over the windows of a source."""

    def __init__(self, first_ms: int = FIRST_MS) -> None:
        self.width_ms = first_ms

    def read(self, window: Span, fetch: Callable[[Span], list[Batch]]) -> Iterator[tuple[Span, list[Batch]]]:
        """Each span of a window with its batches, in time order.

        Raises the TooMuchError of a span that cannot be halved any more, as an error of the window.
        """
        start = window.start_ms
        while start < window.end_ms:
            span = Span(start, min(window.end_ms, start + self.width_ms))
            try:
                batches = fetch(span)
            except TooMuchError as error:
                if span.width_ms <= SHORTEST_MS:
                    raise EugenieError(
                        f"{within_span(error.reason, span)}, even for {span.width_ms / 1_000:g} s",
                        error.hint,
                        error.exit_code,
                    ) from error
                self.width_ms = max(SHORTEST_MS, span.width_ms // 2)
                continue
            yield span, batches
            start = span.end_ms
            rows = sum(len(batch.ts) for batch in batches)
            if span.width_ms >= self.width_ms and rows < ROWS_AT_ONCE // 3:
                self.width_ms = min(2 * self.width_ms, 31 * 86_400_000)
            elif rows > ROWS_AT_ONCE:
                self.width_ms = max(SHORTEST_MS, self.width_ms // 2)
