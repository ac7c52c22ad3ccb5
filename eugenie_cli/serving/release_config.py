"""The released version of each class: `models/models.config`, a ModelServerConfig that model servers follow.

An exported class is served in the version that the file names, under its number and the label `champion`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from google.protobuf import text_format

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import write_atomically
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import model_store, server_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.tfserving.layout import MODELS_CONFIG as FILE
from eugenie_cli.tfserving.protos import config_pb2
from eugenie_cli.workspace import Workspace

_NOTHING = "a server started now would serve nothing. `eugenie export` releases the champions"
_VERSION = re.compile(r"[1-9][0-9]*")


def file_of(site: HasServing) -> Path:
    """The path of `models.config`. The file does not exist before the first export."""
    return workspace_of(site).models / FILE


def read(site: HasServing) -> dict[str, ReleasedModel]:
    """The released models by class. Raises EugenieError that names the file, and line and column of a syntax error."""
    file = file_of(site)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise EugenieError(f"{file} is not text: {error}", "move the file, then run `eugenie export`") from error
    return _parsed(text, str(file))


def read_for_elsewhere(site: HasServing, *, ask: bool) -> dict[str, ReleasedModel]:
    """The models released for remote servers, from the folder `serving.models`, the workspace, or the remote store.

    `write` keeps all of them equal. A remote store is queried only if the workspace has no releases and `ask` is true.
    Raises EugenieError as `read` does, and when the store cannot be reached.
    """
    models = site.serving.models
    is_remote = models is not None and "://" in models
    if models is None or (is_remote and (not ask or file_of(site).exists())):
        return read(site)
    store = model_store.of_site(site)
    text = store.read(FILE) if store is not None else None
    return read(site) if store is None or text is None else _parsed(text, f"{store.uri}/{FILE}")


def write(site: HasServing, models: Mapping[str, ReleasedModel]) -> None:
    """Replace the released models atomically, for the site's own server and in its model store if it has one."""
    _write_here(site, models)
    store = model_store.of_site(site)
    if store is not None:
        store.write(FILE, _text(models, store.uri))


def exported(site: HasServing) -> dict[str, tuple[int, ...]]:
    """The versions of each class that `eugenie export` has published in the workspace, ascending."""
    models = workspace_of(site).models
    versions = {}
    for name in sorted(site.classes):
        paths = (models / name).iterdir() if (models / name).is_dir() else ()
        folders = [path for path in paths if _VERSION.fullmatch(path.name) and path.is_dir()]
        versions[name] = tuple(sorted(int(folder.name) for folder in folders))
    return versions


def servable(site: HasServing) -> dict[str, ReleasedModel]:
    """The released models of the site's classes whose versions are in the workspace. Raises as `read` does."""
    published = exported(site)
    models = {}
    for name, model in read(site).items():
        versions = tuple(version for version in model.versions if version in published.get(name, ()))
        labels = {label: version for label, version in model.labels.items() if version in versions}
        if versions:
            models[name] = replace(model, versions=versions, labels=labels)
    return models


def unserved(site: HasServing) -> tuple[str, ...]:
    """Why an exported class, or a released version of one, is not served: one sentence for each."""
    file, published = file_of(site), exported(site)
    try:
        models = read(site)
    except EugenieError as error:
        return (f"{error.reason}; {_NOTHING}",)
    if not file.exists():
        return (f"{file}, which lists the served models, is missing; {_NOTHING}",) if any(published.values()) else ()
    reasons = []
    for name, versions in published.items():
        released = models[name].versions if name in models else ()
        if name in models and not released:
            reasons.append(f"{name}: {file} names no version of this class")
        elif versions and not released:
            reasons.append(f"{name}: no version is released; `eugenie export --class {name}` releases the champion")
        reasons += [
            f"{name}: version {version} is released but missing from {file.parent / name}"
            for version in released
            if version not in versions
        ]
    return tuple(reasons)


def fetch(site: HasServing, progress: Progress = SILENT) -> None:
    """Copy the releases of the site's model store into the workspace; without a store, do nothing.

    If the store cannot be reached, earlier copies are used. Raises EugenieError when there are none, or a version in
    the store is damaged.
    """
    try:
        store = model_store.of_site(site)
        text = store.read(FILE) if store is not None else None
    except EugenieError as error:
        if error.exit_code is not ExitCode.UNREACHABLE or not file_of(site).exists():
            raise
        progress.say(f"{error.reason}: using the models fetched earlier")
        return
    if store is None or text is None:
        return
    models = {name: model for name, model in _parsed(text, f"{store.uri}/{FILE}").items() if name in site.classes}
    for name, model in models.items():
        for version in model.versions:
            store.fetch(name, version, workspace_of(site).models, progress)
    _write_here(site, models)


def settle(site: HasServing) -> None:
    """Correct the folders that `models.config` names, in a workspace that was copied or moved.

    A file that cannot be read is left alone: `unserved` reports it.
    """
    try:
        models = read(site)
    except EugenieError:
        return
    root = _root(workspace_of(site))
    if any(model.base_path != f"{root}/{name}" for name, model in models.items()):
        _write_here(site, models)


def _root(workspace: Workspace) -> str:
    return str(workspace.models.absolute())


def _write_here(site: HasServing, models: Mapping[str, ReleasedModel]) -> None:
    text = _text(models, _root(workspace_of(site)))
    write_atomically(file_of(site), text, mode=0o644)  # a model server may run as another user


def _text(models: Mapping[str, ReleasedModel], root: str) -> str:
    """The text of `models.config` for a server that finds the folders of the classes under `root`."""
    placed = [replace(models[name], base_path=f"{root}/{name}") for name in sorted(models)]
    return server_config.model_config_text(placed)


def _parsed(text: str, where: str) -> dict[str, ReleasedModel]:
    try:
        config = text_format.Parse(text, config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise EugenieError(
            f"{where} is not a ModelServerConfig: {error}",
            "move the file, then run `eugenie export`, which rewrites it with the champions",
        ) from error
    return {model.name: model for model in server_config.released_models(config)}
