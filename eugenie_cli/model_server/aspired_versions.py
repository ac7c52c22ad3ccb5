"""Which models are wanted, and which of their versions: said in a configuration, or found in a directory.

A configuration is TensorFlow Serving's own: `ModelServerConfig`, in a file or in a request to reload it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from google.protobuf import text_format

from eugenie_cli.model_server.status_error import Refusal, invalid
from eugenie_cli.model_server.version_source import directories
from eugenie_cli.tfserving.layout import MODELS_CONFIG
from eugenie_cli.tfserving.protos import config_pb2

PLATFORM = "tensorflow"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Latest:
    """The newest versions that can be loaded."""

    count: int = 1

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002 - policies are asked alike
        """Whether a version is to be served when so many newer ones are."""
        return chosen < self.count

    def lacking(self, there: Set[int]) -> list[int]:  # noqa: ARG002
        """The versions that are wanted by their number, and not there."""
        return []


@dataclass(frozen=True)
class Specific:
    """These versions, as far as they are there."""

    versions: frozenset[int]

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002
        return version in self.versions

    def lacking(self, there: Set[int]) -> list[int]:
        """Those that are not there."""
        return sorted(self.versions - there)


@dataclass(frozen=True)
class All:
    """Every version that is there."""

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002
        return True

    def lacking(self, there: Set[int]) -> list[int]:  # noqa: ARG002
        """None: all that are wanted are there."""
        return []


Policy = Latest | Specific | All


@dataclass(frozen=True)
class AspiredModel:
    """A model to serve. Its versions lie in `folder`; `labels` are other names of versions."""

    name: str
    folder: Path
    policy: Policy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


class AspiredVersions(Protocol):
    """Says which models are wanted now."""

    def models(self) -> Mapping[str, AspiredModel]:
        """By name. Raises OSError when it cannot be known: that is not "none"."""
        ...

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """What says that these are wanted, because somebody asked for them."""
        ...


class Released:
    """The models under `root` that `root/models.config` releases, and of them the versions that it names. No others.

    The file is followed. Without it nothing is served at a start; while it is gone, wrong or names no versions, what
    was wanted before goes on. The log says why.
    """

    def __init__(self, root: Path) -> None:
        self._written = Written(root / MODELS_CONFIG, named=True)

    def models(self) -> Mapping[str, AspiredModel]:
        """What the file says."""
        return self._written.models()

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """Those of the request for good: the file is not followed any more."""
        return Requested(models)


class Unreleased:
    """The models under `root`, each by the newest version that can be loaded. Nobody had to release them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> dict[str, AspiredModel]:
        """What is there now."""
        return {folder.name: AspiredModel(folder.name, folder) for folder in directories(self._root)}

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """Those of the request for good: the directory is not followed any more."""
        return Requested(models)


class Requested:
    """The models of a request, until another one comes."""

    def __init__(self, models: Mapping[str, AspiredModel]) -> None:
        self._models = models

    def models(self) -> Mapping[str, AspiredModel]:
        """Whether they are on disk or not."""
        return self._models

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """Those of the newer request."""
        return Requested(models)


class Written:
    """The models of a configuration file, which is followed: `text` is what it said last, `models` what is wanted.

    `named`: a model whose versions the file does not name is an error, and not served by its latest one.
    """

    def __init__(
        self,
        file: Path,
        text: str | None = None,
        models: Mapping[str, AspiredModel] | None = None,
        *,
        named: bool = False,
    ) -> None:
        self._file = file
        self._text = text
        self._models = models or {}
        self._named = named
        self._said = ""

    def models(self) -> Mapping[str, AspiredModel]:
        """What the file says; what was wanted before, while it is gone or wrong, which is logged."""
        said = ""
        try:
            text = self._file.read_text(encoding="utf-8")
            if text != self._text:
                self._models, self._text = parse(text, named=self._named), text
        except FileNotFoundError:
            said = f"{self._file} cannot be read: it is not there, and says which versions are served"
        except (OSError, UnicodeDecodeError) as error:
            said = f"{self._file} cannot be read: {error}"
        except Refusal as refusal:
            said = f"{self._file}: {refusal.words}"
        if said and said != self._said:
            goes_on = "what was wanted before goes on" if self._models else "nothing is served"
            _LOG.error("%s; %s", said, goes_on)
        self._said = said
        return self._models

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """Those of the request, until the file says something else than now."""
        return Written(self._file, self._text, models, named=self._named)


def parse(text: str, *, named: bool = False) -> dict[str, AspiredModel]:
    """A configuration file. Raises Refusal that says what is wrong, with line and column where it is the syntax.

    `named`: also of a model whose version policy is not `specific`: the latest, or all, are not what was released.
    """
    config = config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise invalid(f"Invalid protobuf text: {error}") from error
    wanted = read(config)
    for each in config.model_config_list.config if named else ():
        if each.model_version_policy.WhichOneof("policy_choice") != "specific":
            raise invalid(f"Model {each.name}: model_version_policy does not say which versions are released")
    return wanted


def read(config: config_pb2.ModelServerConfig) -> dict[str, AspiredModel]:
    """The models of a configuration. Raises Refusal (INVALID_ARGUMENT) that names the model and what is wrong."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("ModelServerConfig type not supported. Only ModelConfigList is currently supported")
    models: dict[str, AspiredModel] = {}
    for each in config.model_config_list.config:
        if each.name in models:
            raise invalid(f"Illegal to list model {each.name} multiple times in config list")
        models[each.name] = _model(each)
    return models


def _model(config: config_pb2.ModelConfig) -> AspiredModel:
    if not config.name:
        raise invalid("A model of the config list has no name")
    if not Path(config.base_path).is_absolute():
        raise invalid(
            f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}"
        )
    if config.model_platform != PLATFORM:  # TensorFlow Serving asks for it too
        raise invalid(f"Model {config.name}: model_platform {config.model_platform!r} is not {PLATFORM!r}")
    labels = dict(config.version_labels)
    return AspiredModel(config.name, Path(config.base_path), _policy(config.model_version_policy), labels)


def _policy(policy: config_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy) -> Policy:
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return All()
    if choice == "specific":
        return Specific(frozenset(policy.specific.versions))
    return Latest(max(1, policy.latest.num_versions))
