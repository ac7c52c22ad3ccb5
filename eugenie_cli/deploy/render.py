"""`eugenie serve render`: writes the manifests of a target into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from eugenie_cli.deploy import compose, kserve, kubeflow, kubernetes, seldon
from eugenie_cli.deploy.output import WrittenFile, write
from eugenie_cli.deploy.request import Document, Options, Request, parse_canaries
from eugenie_cli.deploy.store_location import store_location
from eugenie_cli.deploy.versions import released
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving.release_config import exported
from eugenie_cli.site.schema import Site


@dataclass(frozen=True)
class Target:
    """A platform on which servers run."""

    documents: Callable[[Request], list[Document]]
    steps: Callable[[Request, Path], list[str]]


TARGETS = {
    "kubernetes": Target(kubernetes.documents, kubernetes.steps),
    "kserve": Target(kserve.documents, kserve.steps),
    "seldon": Target(seldon.documents, seldon.steps),
    "compose": Target(compose.documents, compose.steps),
    "kubeflow": Target(kubeflow.documents, kubeflow.steps),
}

PINNED = frozenset({"kserve", "seldon"})
"""Targets whose resources name a version."""


def _check_versions_exist(request: Request) -> None:
    """Raises EugenieError for a released version without a folder: TensorFlow Serving would wait for it."""
    if request.store.kind != "folder":
        return
    for model in request.served:
        for version in model.versions:
            place = Path(request.store.path, model.name, str(version))
            if not place.is_dir():
                raise EugenieError(
                    f"version {version} of {model.name} is released, but {place} does not exist",
                    f"export the class again (eugenie export --class {model.name}), or restore the folder",
                    ExitCode.REFUSED,
                )


@dataclass(frozen=True)
class Rendered:
    """The files written, and what to do with them."""

    target: str
    folder: str
    files: tuple[WrittenFile, ...]
    steps: tuple[str, ...]


def render(
    site: Site,
    target: str,
    folder: Path | None = None,
    *,
    canaries: Iterable[str] = (),
    options: Options | None = None,
    force: bool = False,
) -> Rendered:
    """Writes the target's manifests into `folder` (None: `serve-<target>`). `canaries`: CLASS=PERCENT.

    Raises EugenieError: USAGE for an unknown target or canary, REFUSED for features that the target lacks, or for a
    file that this command did not write.
    """
    if target not in TARGETS:
        raise EugenieError(f"--target {target}: unknown target", f"choose from {', '.join(TARGETS)}", ExitCode.USAGE)
    options = replace(options or Options(), canaries=parse_canaries(canaries, site.classes))
    store = store_location(site)
    # copies of a store follow the store's own list, and a pipeline creates its versions
    ask = target in PINNED or (store.read_by_tensorflow and target != "kubeflow")
    models = released(site, canaries=options.canaries, ask=ask)
    request = Request(site, store, models, exported(site), options)
    _check_versions_exist(request)
    folder = folder or Path(f"serve-{target}")
    documents = TARGETS[target].documents(request)
    files = write(folder, target, documents, force)
    return Rendered(target, str(folder), files, tuple(TARGETS[target].steps(request, folder)))
