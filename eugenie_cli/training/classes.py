"""Trains the classes of one command, one after the other or several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.training import tracking
from eugenie_cli.training.options import AS_THE_SITE_SAYS, TrainingOptions
from eugenie_cli.training.parallel import train_beside
from eugenie_cli.training.result import FailedClass, Training
from eugenie_cli.training.train import train_class


def train_classes(
    site: Site,
    class_names: Sequence[str],
    progress: Progress,
    wanted: TrainingOptions = AS_THE_SITE_SAYS,
    jobs: int = 1,
) -> Training:
    """Trains classes, `jobs` at a time. One that fails does not stop the others.

    Several classes have a run of the whole command above theirs. Raises EugenieError for an unknown class, and the
    class's own when it is the only one.
    """
    for name in class_names:
        site.class_named(name)
    if len(class_names) == 1:
        return Training((train_class(site, class_names[0], progress, wanted),), ())
    with ExitStack() as stack:
        parent: list[str | None] = []

        def begin() -> str | None:
            """The run of the command, made when the first class is really trained."""
            if not parent:
                parent.append(stack.enter_context(tracking.command_run(site, class_names, progress)))
            return parent[0]

        if jobs > 1:
            return train_beside(site, class_names, progress, wanted, jobs=jobs, parent=begin())
        trained, failed = [], []
        with progress.task("train", total=len(class_names), unit="classes") as advance:
            for name in class_names:
                try:
                    trained.append(train_class(site, name, progress, wanted, parent=begin))
                except EugenieError as problem:
                    failed.append(FailedClass(name, problem.reason, problem.hint))
                advance(1)
        return Training(tuple(trained), tuple(failed))
