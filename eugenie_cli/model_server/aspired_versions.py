"""Which models and versions to serve: from a configuration, or from a directory.

The configuration is TensorFlow Serving's `ModelServerConfig`, in a file or in a reload request.
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

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002 - all policies share this signature
        """Whether to serve a version, if `chosen` newer ones are served."""
        return chosen < self.count

    def lacking(self, there: Set[int]) -> list[int]:  # noqa: ARG002
        """The versions that the policy names and that are not on disk."""
        return []


@dataclass(frozen=True)
class Specific:
    """These versions, if they are on disk."""

    versions: frozenset[int]

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002
        return version in self.versions

    def lacking(self, there: Set[int]) -> list[int]:
        """Those that are not on disk."""
        return sorted(self.versions - there)


@dataclass(frozen=True)
class All:
    """Every version on disk."""

    def wants(self, version: int, chosen: int) -> bool:  # noqa: ARG002
        return True

    def lacking(self, there: Set[int]) -> list[int]:  # noqa: ARG002
        """None: the policy names no version."""
        return []


Policy = Latest | Specific | All


@dataclass(frozen=True)
class AspiredModel:
    """A model to serve. `folder` contains its versions; `labels` map names to versions."""

    name: str
    folder: Path
    policy: Policy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


class AspiredVersions(Protocol):
    """Provides the models to serve."""

    def models(self) -> Mapping[str, AspiredModel]:
        """The models by name. Raises OSError if they cannot be determined, which does not mean "none"."""
        ...

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """The provider to use once a caller has requested these models."""
        ...


class Released:
    """The models and versions that `root/models.config` releases. No others are served.

    Changes of the file take effect. If it is missing at start, nothing is served. If it is later missing or invalid, or
    names no versions, the last valid configuration stays in effect. The log gives the reason.
    """

    def __init__(self, root: Path) -> None:
        self._written = Written(root / MODELS_CONFIG, named=True)

    def models(self) -> Mapping[str, AspiredModel]:
        """The models that the file releases."""
        return self._written.models()

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """The request's models, permanently: the file is no longer read."""
        return Requested(models)


class Unreleased:
    """The models under `root`, each with its newest loadable version, released or not."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> dict[str, AspiredModel]:
        """The models that are in the directory now."""
        return {folder.name: AspiredModel(folder.name, folder) for folder in directories(self._root)}

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """The request's models, permanently: the directory is no longer read."""
        return Requested(models)


class Requested:
    """The models of a reload request, until the next one."""

    def __init__(self, models: Mapping[str, AspiredModel]) -> None:
        self._models = models

    def models(self) -> Mapping[str, AspiredModel]:
        """The requested models, whether they are on disk or not."""
        return self._models

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """The models of the newer request."""
        return Requested(models)


class Written:
    """The models of a configuration file, read again when it changes. `text`: its last content; `models`: the models
    in effect.

    `named`: a model for which the file names no versions is an error, instead of being served with its latest version.
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
        self._reported = ""

    def models(self) -> Mapping[str, AspiredModel]:
        """The file's models; the last valid ones while the file is missing or invalid, which is logged once."""
        problem = ""
        try:
            text = self._file.read_text(encoding="utf-8")
            if text != self._text:
                self._models, self._text = parse(text, named=self._named), text
        except FileNotFoundError:
            problem = f"{self._file} cannot be read: the file, which lists the versions to serve, does not exist"
        except (OSError, UnicodeDecodeError) as error:
            problem = f"{self._file} cannot be read: {error}"
        except Refusal as refusal:
            problem = f"{self._file}: {refusal.words}"
        if problem and problem != self._reported:
            consequence = "the last valid configuration stays in effect" if self._models else "nothing is served"
            _LOG.error("%s; %s", problem, consequence)
        self._reported = problem
        return self._models

    def replaced(self, models: Mapping[str, AspiredModel]) -> AspiredVersions:
        """The request's models, until the file changes."""
        return Written(self._file, self._text, models, named=self._named)


def parse(text: str, *, named: bool = False) -> dict[str, AspiredModel]:
    """The models of a configuration file. Raises Refusal with the problem, and line and column of a syntax error.

    `named`: a version policy other than `specific` is an error, too: latest and all do not say what is released.
    """
    config = config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise invalid(f"Invalid protobuf text: {error}") from error
    models = read(config)
    for model in config.model_config_list.config if named else ():
        if model.model_version_policy.WhichOneof("policy_choice") != "specific":
            raise invalid(f"Model {model.name}: model_version_policy does not say which versions are released")
    return models


def read(config: config_pb2.ModelServerConfig) -> dict[str, AspiredModel]:
    """The models of a configuration. Raises Refusal (INVALID_ARGUMENT) that names the model and the problem."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("ModelServerConfig type not supported. Only ModelConfigList is currently supported")
    models: dict[str, AspiredModel] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        models[model.name] = _model(model)
    return models


def _model(config: config_pb2.ModelConfig) -> AspiredModel:
    if not config.name:
        raise invalid("A model of the config list has no name")
    if not Path(config.base_path).is_absolute():
        raise invalid(
            f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}"
        )
    if config.model_platform != PLATFORM:  # TensorFlow Serving requires it, too
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
