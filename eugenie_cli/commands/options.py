"""Options that commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class Output(str, Enum):
    """How data is rendered: for people or for scripts."""

    table = "table"
    json = "json"


SiteOption = Annotated[
    str | None,
    typer.Option(
        "--site",
        envvar="EUGENIE_SITE",
        help="Site: a name in site-configs/ or a path. Default: the only site there is.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table for people, json for scripts.")]
ClassOption = Annotated[
    list[str] | None,
    typer.Option("--class", help="Equipment class; may be given several times. Default: all."),
]
