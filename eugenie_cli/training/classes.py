"""Trains the classes of one command, in turn or several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import tracking
from eugenie_cli.training.options import NO_OPTIONS, TrainingOptions
from eugenie_cli.training.parallel import train_in_parallel
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.result import FailedClass, Training
from eugenie_cli.training.train import train_class


def train_classes(
    site: Site,
    class_names: Sequence[str],
    progress: Progress,
    options: TrainingOptions = NO_OPTIONS,
    jobs: int = 1,
) -> Training:
    """Trains classes, `jobs` at a time. A class that fails does not stop the others.

    The runs of several classes have a common parent run for the command. Raises EugenieError for an unknown class, and
    for a failure when the class is the only one.
    """
    for name in class_names:
        site.class_named(name)
    if len(class_names) == 1:
        return Training((train_class(site, class_names[0], progress, options),), ())
    with ExitStack() as stack:
        parent: list[str | None] = []

        def begin() -> str | None:
            """The id of the command's run, which is created when the first class needs training."""
            if not parent:
                run = tracking.command_run(Registry(site), workspace_of(site).spool, class_names, progress)
                parent.append(stack.enter_context(run))
            return parent[0]

        if jobs > 1:
            return train_in_parallel(site, class_names, progress, options, jobs=jobs, parent=begin())
        trained, failed = [], []
        with progress.task("train", total=len(class_names), unit="classes") as advance:
            for name in class_names:
                try:
                    trained.append(train_class(site, name, progress, options, parent=begin))
                except EugenieError as problem:
                    failed.append(FailedClass(name, problem.reason, problem.hint))
                advance(1)
        return Training(tuple(trained), tuple(failed))
