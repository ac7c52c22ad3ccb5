"""Explanations of rejections, with what to write in the site file. Only for the examples that a report shows: the rules
themselves read millions of texts, and must not search for advice each time.
"""

from __future__ import annotations

import ast
import re

from eugenie_cli.printable import printable
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.format_advice import formats_reading, time_advice
from eugenie_cli.readings.timestamps import ISO_PATTERN

SHOWN_DETAIL = 240  # characters of an explanation, which may quote a field of any length

_UNREAD_TIME = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") """
    r"(?:is not ISO 8601|does not match the format|matches none of the formats)"
)


_UNREAD_VALUE = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") is neither a number""")
_INSTANT = (
    ": it is an instant. If each tag has a column of instants of its own, map them with"
    " `columns: {repeat: [ts, value]}`"
)


def advised(reason: str, detail: str) -> str:
    """The explanation of a rejection as it is shown. An instant that is not read gets the format that would read it."""
    shown = printable(detail, SHOWN_DETAIL)
    if reason == reject_reasons.BAD_VALUE and (value := _UNREAD_VALUE.search(detail)):
        text = ast.literal_eval(value[1])
        return shown + (_INSTANT if re.match(ISO_PATTERN, text) or formats_reading(text) else "")
    unread = _UNREAD_TIME.search(detail) if reason == reject_reasons.BAD_TIMESTAMP else None
    if unread is None or "`unit:" in detail:
        return shown
    return shown + printable(time_advice(ast.literal_eval(unread[1])), SHOWN_DETAIL)
