"""Explanations of rejections, with what to write in the site file. Only for the examples that a report shows: the rules
themselves read millions of texts, and must not search for advice each time.
"""

from __future__ import annotations

import ast
import re

from eugenie_cli.printable import printable
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.format_advice import time_advice

SHOWN_DETAIL = 240  # characters of an explanation, which may quote a field of any length

_UNREAD_TIME = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") """
    r"(?:is not ISO 8601|does not match the format|matches none of the formats)"
)


def advised(reason: str, detail: str) -> str:
    """The explanation of a rejection as it is shown. An instant that is not read gets the format that would read it."""
    shown = printable(detail, SHOWN_DETAIL)
    unread = _UNREAD_TIME.search(detail) if reason == reject_reasons.BAD_TIMESTAMP else None
    if unread is None or "`unit:" in detail:
        return shown
    return shown + printable(time_advice(ast.literal_eval(unread[1])), SHOWN_DETAIL)
