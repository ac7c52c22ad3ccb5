"""Which version of each class is released: `models/models.config`, a ModelServerConfig that model servers follow.

A class that was exported is served by the version that the file says, under its number and the label `champion`.
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

_NOTHING = "a server that starts now serves nothing. `eugenie export` releases the champions"
_VERSION = re.compile(r"[1-9][0-9]*")


def file_of(site: HasServing) -> Path:
    """The file. There is none before the first export."""
    return workspace_of(site).models / FILE


def read(site: HasServing) -> dict[str, ReleasedModel]:
    """What is released, by class. Raises EugenieError that names the file, and line and column of what is wrong."""
    file = file_of(site)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise EugenieError(f"{file} is not text: {error}", "move it away, then `eugenie export`") from error
    return _parsed(text, str(file))


def read_for_elsewhere(site: HasServing, *, ask: bool) -> dict[str, ReleasedModel]:
    """What is released for servers elsewhere: by a folder in `serving.models`, by the workspace, or else by the store.

    `write` says the same in all of them; a store across a network is asked only by who has no workspace, and wants to
    (`ask`). Raises EugenieError as `read` does, and when such a store cannot be reached.
    """
    models = site.serving.models
    is_remote = models is not None and "://" in models
    if models is None or (is_remote and (not ask or file_of(site).exists())):
        return read(site)
    there = model_store.of_site(site)
    text = there.read(FILE) if there is not None else None
    return read(site) if there is None or text is None else _parsed(text, f"{there.uri}/{FILE}")


def write(site: HasServing, models: Mapping[str, ReleasedModel]) -> None:
    """Replace what is released, atomically, for the site's own server and in its model store if it has one."""
    _write_here(site, models)
    there = model_store.of_site(site)
    if there is not None:
        there.write(FILE, _text(models, there.uri))


def exported(site: HasServing) -> dict[str, tuple[int, ...]]:
    """The versions of each class that `eugenie export` has published in the workspace, ascending."""
    models = workspace_of(site).models
    found = {}
    for name in sorted(site.classes):
        folders = (models / name).iterdir() if (models / name).is_dir() else ()
        found[name] = tuple(sorted(int(one.name) for one in folders if _VERSION.fullmatch(one.name) and one.is_dir()))
    return found


def servable(site: HasServing) -> dict[str, ReleasedModel]:
    """What is released of the site's classes, as far as the versions are in the workspace. Raises as `read` does."""
    there = exported(site)
    found = {}
    for name, model in read(site).items():
        versions = tuple(one for one in model.versions if one in there.get(name, ()))
        labels = {label: version for label, version in model.labels.items() if version in versions}
        if versions:
            found[name] = replace(model, versions=versions, labels=labels)
    return found


def unserved(site: HasServing) -> tuple[str, ...]:
    """Why an exported class, or a released version of one, is not served: a sentence each."""
    file, there = file_of(site), exported(site)
    try:
        kept = read(site)
    except EugenieError as error:
        return (f"{error.reason}; {_NOTHING}",)
    if not file.exists():
        return (f"{file} is not there, and says what is served; {_NOTHING}",) if any(there.values()) else ()
    told = []
    for name, versions in there.items():
        wanted = kept[name].versions if name in kept else ()
        if name in kept and not wanted:
            told.append(f"{name}: {file} names no version of it")
        elif versions and not wanted:
            told.append(f"{name}: no version is released; `eugenie export --class {name}` releases the champion")
        told += [
            f"{name}: version {one} is released, and is not in {file.parent / name}"
            for one in wanted
            if one not in versions
        ]
    return tuple(told)


def fetch(site: HasServing, progress: Progress = SILENT) -> None:
    """Bring what the site's model store releases into the workspace; nothing without a store.

    Where the store cannot be reached, what was fetched before is good enough. Raises EugenieError when there is
    nothing, or a version in the store is damaged.
    """
    try:
        there = model_store.of_site(site)
        text = there.read(FILE) if there is not None else None
    except EugenieError as error:
        if error.exit_code is not ExitCode.UNREACHABLE or not file_of(site).exists():
            raise
        progress.say(f"{error.reason}: going on with what was fetched before")
        return
    if there is None or text is None:
        return
    models = {name: one for name, one in _parsed(text, f"{there.uri}/{FILE}").items() if name in site.classes}
    for name, model in models.items():
        for version in model.versions:
            there.fetch(name, version, workspace_of(site).models, progress)
    _write_here(site, models)


def _write_here(site: HasServing, models: Mapping[str, ReleasedModel]) -> None:
    text = _text(models, str(workspace_of(site).models.absolute()))
    write_atomically(file_of(site), text, mode=0o644)  # a model server may run as another user


def _text(models: Mapping[str, ReleasedModel], root: str) -> str:
    """The file, for a server that finds the folders of the classes under `root`."""
    placed = [replace(models[name], base_path=f"{root}/{name}") for name in sorted(models)]
    return server_config.model_config_text(placed)


def _parsed(text: str, where: str) -> dict[str, ReleasedModel]:
    try:
        config = text_format.Parse(text, config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise EugenieError(
            f"{where} is not a ModelServerConfig: {error}",
            "move it away, then `eugenie export` writes it anew with the champions",
        ) from error
    return {model.name: model for model in server_config.released_models(config)}
