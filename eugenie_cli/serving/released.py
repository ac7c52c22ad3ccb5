"""Which version of each class is released: `models/models.config`, a ModelServerConfig that model servers follow.

A class that was exported is served by the version that the file says, under its number and the label `champion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from google.protobuf import text_format

from eugenie_cli.embedded.process import write_atomically
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import tensorflow_serving
from eugenie_cli.serving.protos import config_pb2
from eugenie_cli.serving.tensorflow_serving import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site

FILE = "models.config"


def file_of(site: Site) -> Path:
    """The file. There is none before the first export."""
    return workspace_of(site).models / FILE


def read(site: Site) -> dict[str, ReleasedModel]:
    """What is released, by class. Raises EugenieError that names the file, and line and column of what is wrong."""
    file = file_of(site)
    try:
        config = text_format.Parse(file.read_text(encoding="utf-8"), config_pb2.ModelServerConfig())
    except FileNotFoundError:
        return {}
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise EugenieError(
            f"{file} is not a ModelServerConfig: {error}",
            "move it away, then `eugenie export` writes it anew",
        ) from error
    return {model.name: model for model in tensorflow_serving.released_models(config)}


def write(site: Site, models: Mapping[str, ReleasedModel]) -> None:
    """Replace what is released, atomically. Base paths are those under which the site's model server finds models."""
    placed = [replace(models[name], base_path=base_path(site, name)) for name in sorted(models)]
    write_atomically(file_of(site), tensorflow_serving.model_config_text(placed))
    file_of(site).chmod(0o644)  # a model server may run as another user


def base_path(site: Site, class_name: str) -> str:
    """Where the site's model server finds the versions of a class."""
    return str(workspace_of(site).models.absolute() / class_name)
