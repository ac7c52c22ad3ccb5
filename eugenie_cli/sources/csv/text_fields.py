"""The fields of single lines: for headers and messages, not for the rows of a file."""

from __future__ import annotations

import csv
import io
import re

from eugenie_cli.site.field_types import on_one_line

DATA = re.compile(r"^\s*\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|^\s*[-+]?\d+(?:[.,]\d+)?\s*$")
"""A date or a number."""


def fields_of(text: str, delimiter: str) -> list[str]:
    """The fields of a line or row; [] for an empty one."""
    text = text.rstrip("\r\n")
    if not text:
        return []
    try:
        return next(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter), [])
    except csv.Error:
        return [text]


def clean_name(name: str) -> str:
    """A name on one line, as a site file can contain it."""
    return str(on_one_line(name)).strip()
