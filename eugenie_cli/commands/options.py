"""Options and arguments that commands share, each with one name and one meaning."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated

import typer


class Output(str, Enum):
    """The format of data: for people or for scripts."""

    table = "table"
    json = "json"


SiteOption = Annotated[
    str | None,
    typer.Option(
        "--site",
        envvar="EUGENIE_SITE",
        metavar="SITE",
        help="Site: a name in site-configs/ or a path. Default: the only site.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Table for people, JSON for scripts.")]
ClassArgument = Annotated[
    list[str] | None, typer.Argument(metavar="CLASS", help="Equipment classes. Default: all.", show_default=False)
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="CLASS", help="Equipment class; repeatable. Default: all."),
]
AssetArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ASSET", help="Assets. Default: all.", show_default=False)
]
AssetOption = Annotated[
    list[str] | None,
    typer.Option("--asset", metavar="ASSET", help="Asset; repeatable. Default: all."),
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="INSTANT", help="Stop before this instant.")]
LinesOption = Annotated[int, typer.Option("--lines", metavar="COUNT", min=0, help="Last lines of each process.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines until Ctrl-C.")]


def both(argument: Iterable[str] | None, option: Iterable[str] | None) -> tuple[str, ...]:
    """Names given as arguments and by an option: `eugenie train pump` and `eugenie train --class pump` are the same."""
    return (*(argument or ()), *(option or ()))
