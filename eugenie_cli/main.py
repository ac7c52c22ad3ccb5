"""The `eugenie` command: assembles the command groups and turns errors into messages and exit codes."""

from __future__ import annotations

import atexit
import copy
import gc
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from types import TracebackType

import typer

from eugenie_cli.commands import (
    anomalies,
    bridge,
    config,
    demo,
    doctor,
    engines,
    evaluate,
    export,
    history,
    import_,
    init,
    models,
    serve,
    simulate,
    stream,
    train,
)
from eugenie_cli.commands.command import Command
from eugenie_cli.commands.renamed import with_old_spellings
from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.masking import mask

app = typer.Typer(
    name="eugenie",
    help="From a plant's own history to real-time anomaly detection.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        from eugenie_cli import __version__

        Console().line(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show a traceback when something fails.", envvar="EUGENIE_DEBUG"),
    version: bool = typer.Option(  # noqa: ARG001 - its callback does the work
        False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
) -> None:
    if debug:
        os.environ["EUGENIE_DEBUG"] = "1"


app.command("init", cls=Command)(init.init)
app.add_typer(config.app)
app.command("import", cls=Command)(import_.import_)
app.command("bridge", cls=Command)(bridge.bridge)
app.add_typer(history.app)
app.command("train", cls=with_old_spellings("train"))(train.train)
app.command("evaluate", cls=with_old_spellings("evaluate"))(evaluate.evaluate)
app.add_typer(models.app)
app.add_typer(anomalies.app)
app.command("doctor")(doctor.doctor)
app.command("up", cls=with_old_spellings("up"))(engines.up)
app.command("down")(engines.down)
app.command("status")(engines.status)
app.add_typer(simulate.app)
app.command("demo", cls=with_old_spellings("demo"))(demo.demo)
app.command("export", cls=with_old_spellings("export"))(export.export)
app.add_typer(serve.app, name="serve")
app.add_typer(stream.app, name="stream")


def _print_masked(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print a traceback without the passwords that libraries put into their messages."""
    sys.stderr.write(mask("".join(traceback.format_exception(kind, error, where))))


def _print_masked_of_thread(failed: threading.ExceptHookArgs) -> None:
    """The same for a thread: `sys.excepthook` is not called for those."""
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _print_masked(failed.exc_type, failed.exc_value, failed.exc_traceback)


COLLECTED = (20_000, 10, 10)
"""Objects after which Python looks for cycles, by default 700. Manifests and sites of thousands of entries have none:
looking for them took a sixth of the time of a command."""


def called(program: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """The program with only the command or group that `words` call, or all of it if that is not the first of them.

    Typer inspects every function for every call, which takes as long as reading a history of thousands of files.
    """
    first = next((word for word in words if word != "--debug"), None)
    commands = [command for command in program.registered_commands if command.name == first]
    groups = [
        group
        for group in program.registered_groups
        if group.typer_instance is not None and first in (group.name, group.typer_instance.info.name)
    ]
    if not commands and not groups:
        return program
    only = copy.copy(program)
    only.registered_commands, only.registered_groups = commands, groups
    return only


def main() -> None:
    """The entry point. Its exit codes are those of `errors.ExitCode`."""
    gc.set_threshold(*COLLECTED)
    atexit.register(gc.freeze)  # at its end, Python looks for cycles in all that a command has left
    # without it, pydantic reads the metadata of every installed package; eugenie has no plug-ins of pydantic
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # TensorFlow lists optional libraries that it did not find on stderr; real failures are raised
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a failed call raises; gRPC would report it a second time
    sys.excepthook, threading.excepthook = _print_masked, _print_masked_of_thread
    console = Console()
    try:
        typer.main.get_command(called(app, sys.argv[1:]))()  # calling the app would replace the hooks above
    except EugenieError as error:
        if os.environ.get("EUGENIE_DEBUG") == "1":
            raise
        console.error(error.reason, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.say("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
