"""Which windows of time a source has, and which of them are to be read now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from eugenie_cli.history.manifest import Item
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.source_windows import WindowSettings
from eugenie_cli.sources.interface import SourceItem
from eugenie_cli.sources.windows.reader import Span

HOUR_MS = 3_600_000


def planned(settings: WindowSettings, held: Mapping[str, Item], now_ms: int) -> list[SourceItem]:
    """The windows of a source up to now, in time order, those that are in the history among them.

    `held`: the source's items in the history. Windows begin at multiples of `window` since 1970 UTC. One that was read
    after it had settled has the state that it had then, so that it counts as unchanged; so has one before `start`,
    which the source may have forgotten since. The newest window ends at `now_ms`.

    A window that was read later than now shows that the clock was set back. Either it was ahead before: then the window
    had not settled. Or it is behind now: then the window is read up to where it was read before.
    """
    width = settings.window
    start = now_ms - settings.start if isinstance(settings.start, int) else to_ms(settings.start)
    spans = {span_key(first, width): first for first in range(start - start % width, now_ms, width)}
    known = {key: span.start_ms for key in held if (span := span_of(key)) is not None and span.width_ms == width}
    is_near = any(first < now_ms for first in known.values())  # otherwise this machine has lost its clock
    items = []
    for key, first in sorted((known | spans).items(), key=lambda entry: entry[1]):
        before = held[key].state.get("item", {}) if key in held else {}
        is_later = before.get("read_ms", 0) > now_ms
        state = before
        if key not in spans:
            if is_later and first >= now_ms and is_near:  # read before it had begun
                state = {**before, "closed": False}
        elif is_later or not before.get("closed"):
            state = state_of(settings, first, now_ms)
            if is_later:
                state["read_ms"] = before["read_ms"]
        items.append(SourceItem(key, width // HOUR_MS or 1, dict(state), fixed=key not in spans))
    return items


def state_of(settings: WindowSettings, first_ms: int, now_ms: int) -> dict[str, object]:
    """The state of a window that is read now. `read_ms`: up to where, if it ends later."""
    settled = first_ms + settings.window + settings.settle <= now_ms
    return {"closed": settled, "read_ms": now_ms, "mtime_ns": now_ms * 1_000_000}


def span_key(start_ms: int, width_ms: int) -> str:
    """`2026-01-01T00:00:00Z/2026-01-02T00:00:00Z`."""
    return f"{_iso(start_ms)}/{_iso(start_ms + width_ms)}"


def within_span(reason: str, span: Span) -> str:
    """An error's reason with the span that was read, unless it already says it."""
    shown = shown_span(span)
    return reason if shown in reason else f"{reason}, in {shown}"


def shown_span(span: Span) -> str:
    """As `span_key`, with milliseconds where there are any."""
    bounds = (datetime.fromtimestamp(bound / 1_000, timezone.utc) for bound in (span.start_ms, span.end_ms))
    return "/".join(
        at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z") for at in bounds
    )


def span_of(key: str) -> Span | None:
    """The span of a key; None if it is not one."""
    first, slash, last = key.partition("/")
    try:
        span = Span(to_ms(_parsed(first)), to_ms(_parsed(last)))
    except ValueError:
        return None
    return span if slash and span.width_ms > 0 else None


def _iso(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parsed(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
