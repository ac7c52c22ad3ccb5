"""What PyMySQL returns: times as text, which Arrow converts faster, and exactly as the server writes them; bits, which
are MySQL's usual booleans, as numbers.
"""

from __future__ import annotations

from typing import Any

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions

CONVERSIONS: dict[Any, Any] = {
    code: convert
    for code, convert in conversions.items()
    if code not in (FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME, FIELD_TYPE.DATE, FIELD_TYPE.TIME)
}
CONVERSIONS[FIELD_TYPE.BIT] = lambda bits: int.from_bytes(bits, "big")

_KINDS = {
    FIELD_TYPE.TIMESTAMP: "utc",
    FIELD_TYPE.DATETIME: "local",
    FIELD_TYPE.DATE: "local",
    **dict.fromkeys(
        (
            *(FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG),
            *(FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE, FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL),
        ),
        "number",
    ),
    **dict.fromkeys((FIELD_TYPE.VARCHAR, FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING), "text"),
}


def kind_of(type_code: int) -> str | None:
    """How a column counts time, by its type; `TIMESTAMP` is UTC, as the session is."""
    return _KINDS.get(type_code)
