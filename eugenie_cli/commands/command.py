"""The class of commands that take arguments. Their help names arguments in plain English, without Python's types."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand


class Command(TyperCommand):
    """Shows arguments as `CLASS` and `CLASS...`: typer would show `{CLASS}` and `CLASS <list[str]>`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.translate({ord(brace): None for brace in "{}"}) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments, options = [], []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if isinstance(parameter, TyperArgument):
                arguments.append((_name(parameter), record[1]))
            else:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _name(argument: TyperArgument) -> str:
    name = argument.metavar or argument.name or ""
    return name if argument.nargs == 1 else f"{name}..."
