"""The section `table` of a `csv` source: where a file's table is. Every command that opens a site imports this module:
keep it light.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
)
from pydantic import ValidationInfo as Info

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label

MOST_ROWS = 100  # header rows: more are never a header
MOST_LINES = 100_000  # lines above a header

_Row = Annotated[int, Field(ge=1, le=MOST_ROWS)]
_Mark = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$")
]


def _listed(given: Any) -> Any:
    """A single value is a list of one."""
    return (given,) if isinstance(given, str | int) else given


class Table(Section):
    """Where a file's table is, if it does not begin with a header line in the first line.

    Rows are lines that are neither blank nor comments, counted from 1 after `after` and `skip`.
    """

    after: _Mark | None = Field(
        None, description="the table is below the first line that begins with this text, such as '[Data]'"
    )
    skip: int = Field(0, ge=0, le=MOST_LINES, description="lines that are not read above the table, below `after`")
    header: Annotated[tuple[_Row, ...], BeforeValidator(_listed)] = Field(
        (1,),
        min_length=1,
        max_length=8,
        description="the row that names the columns; several rows ([1, 2]) are joined by blanks",
    )
    data: int | None = Field(
        None,
        ge=2,
        le=MOST_ROWS + 1,
        description="the row in which readings begin; default: the one below the header. Rows between, such as units,"
        " are not read",
    )
    names: tuple[Label | None, ...] | None = Field(
        None, min_length=1, description="the names of the columns of a file without a header; ~ for one without a name"
    )
    comment: Annotated[tuple[_Mark, ...], BeforeValidator(_listed)] = Field(
        (), description="lines that begin with this text, or one of these, are not rows"
    )
    until: _Mark | None = Field(None, description="the table ends above the line that begins with this text")

    @field_validator("header")
    @classmethod
    def _rises(cls, header: tuple[int, ...]) -> tuple[int, ...]:
        if list(header) != sorted(set(header)):
            raise ValueError("name each row once, from top to bottom, such as [1, 2]")
        return header

    @field_validator("data")
    @classmethod
    def _is_below(cls, data: int | None, info: Info) -> int | None:
        header = info.data.get("header", (1,))
        if data is not None and data <= header[-1]:
            raise ValueError(f"must be below the header in row {header[-1]}")
        return data

    @field_validator("names")
    @classmethod
    def _instead_of_a_header(cls, names: tuple[str | None, ...] | None, info: Info) -> tuple[str | None, ...] | None:
        if names is None:
            return None
        if info.data.get("header", (1,)) != (1,) or info.data.get("data") is not None:
            raise ValueError("conflicts with header and data: a file without a header has neither; use skip")
        given = [name for name in names if name is not None]
        if len(set(given)) != len(given):
            raise ValueError("must differ from each other")
        return names

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not given: then a file does not count as changed when a release adds a setting."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if key in self.model_fields_set}
