"""The model registry: the versions of a class, and its champion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.training import artifact, mlflow_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunData

CHAMPION, CHALLENGER = "champion", "challenger"
TYPE_PARAM = "model.type"
"""Parameter of a run: the type of its detector."""
GATE_TAG = "eugenie.gate"
"""Prefix of the version tags that the promotion gate writes: verdict, reasons, figures, champion, at, by."""
# MLflow's error codes for a run that it does not have, or whose id is malformed.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# A tag of the registered model: former champions, the latest last, as a JSON list of versions.
_FORMER = "eugenie.former_champions"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a class in the registry. `name`: the class; `created`: ms since 1970; `type`: of its detector.

    `gate`: the last verdict of the class's promotion gate (passed, refused or forced); None if it was not evaluated.
    """

    name: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    created: int = 0
    metrics: dict[str, float] | None = None
    type: str | None = None
    gate: str | None = None
    orphaned: bool = False
    """The store no longer has its run, so it cannot be loaded."""


class Registry:
    """The versions of a site's classes. Methods raise EugenieError for an unknown class or version."""

    def __init__(self, site: HasTracking, client: MlflowClient | None = None) -> None:
        self._site = site
        self._client = client

    @property
    def client(self) -> MlflowClient:
        """The store's client, connected on first use."""
        if self._client is None:
            self._client = mlflow_store.client(self._site)
        return self._client

    @property
    def site_name(self) -> str:
        return self._site.site

    @property
    def is_server(self) -> bool:
        """Whether the store is a tracking server, which may be unreachable, rather than a store of this machine."""
        return self._site.tracking.is_server

    def reconnected(self) -> Registry:
        """The same registry over a new connection. Raises like `mlflow_store.client` when the store does not answer."""
        return Registry(self._site, mlflow_store.client(self._site))

    def experiment(self) -> str:
        """The id of the site's experiment, created if it does not exist. Raises like `mlflow_store.experiment`."""
        return mlflow_store.experiment(self._site, self.client)

    def has_class(self, class_name: str) -> bool:
        """Whether the site has the class."""
        return class_name in self._site.classes

    def resolve(self, class_name: str, which: str | int) -> RegisteredVersion:
        """The version with this number or alias ("champion", "challenger")."""
        from mlflow.exceptions import MlflowException

        name = self._registered(class_name)
        try:
            if isinstance(which, str):
                version = self.client.get_model_version_by_alias(name, which)
            else:
                version = self.client.get_model_version(name, str(which))
        except MlflowException as problem:
            what = f"version {which}" if isinstance(which, int) else which
            known = ", ".join(str(other.version) for other in self._all(class_name)) or "none"
            hint = f"`eugenie train --class {class_name}`" if known == "none" else "`eugenie models list` shows them"
            raise EugenieError(f"class {class_name} has no {what} (versions: {known})", hint) from problem
        return self._version(class_name, version, self._aliases(name))

    def versions(self, class_name: str) -> list[RegisteredVersion]:
        """All versions of a class with their metrics, newest first; empty before it was trained."""
        self._registered(class_name)
        return self._all(class_name)

    def register(
        self,
        class_name: str,
        run_id: str,
        source: str,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> RegisteredVersion:
        """Makes the run's detector a version: champion if it is the class's first, else challenger.

        A deleted champion is not replaced: only a promotion, through its gate, makes a new one.

        `description`: Markdown for MLflow's page of the version.
        """
        from mlflow.exceptions import MlflowException

        name = self._registered(class_name)
        try:
            self.client.get_registered_model(name)
        except MlflowException:
            self.client.create_registered_model(name, description=f"anomaly detector of class {class_name}")
        created = self.client.create_model_version(
            name, source, run_id, dict(tags or {}), description=description, await_creation_for=0
        )
        self._set_alias(class_name, int(created.version))
        return self.resolve(class_name, int(created.version))

    def adopt(self, class_name: str, run_id: str) -> bool:
        """Whether the run has a version. Sets the version's alias if the process died before it did."""
        name = self._registered(class_name)
        numbers = [int(version.version) for version in self.client.search_model_versions(f"run_id='{run_id}'")]
        newest = max((version.version for version in self._all(class_name)), default=0)
        if numbers and newest in numbers and newest not in self._aliases(name).values():
            self._set_alias(class_name, newest)
        return bool(numbers)

    def of_run(self, class_name: str, run_id: str) -> RegisteredVersion | None:
        """The version that the run became, with its alias; None before that."""
        if not self.adopt(class_name, run_id):
            return None
        versions = self.client.search_model_versions(f"run_id='{run_id}'")
        return self.resolve(class_name, max(int(version.version) for version in versions))

    def made_by(self, class_name: str, tag: str, value: str) -> RegisteredVersion | None:
        """The newest version with this tag whose run still exists; None without one."""
        versions = self.client.search_model_versions(f"name='{self._registered(class_name)}'")
        numbers = sorted((int(version.version) for version in versions if version.tags.get(tag) == value), reverse=True)
        known = (self.resolve(class_name, number) for number in numbers)
        return next((version for version in known if not version.orphaned), None)

    def _set_alias(self, class_name: str, version: int) -> None:
        name = mlflow_store.registered_name(self._site, class_name)
        # number 1 is only ever used once: registries never reuse the numbers of deleted versions
        alias = CHAMPION if version == 1 and CHAMPION not in self._aliases(name) else CHALLENGER
        self.client.set_registered_model_alias(name, alias, str(version))

    def promote(self, class_name: str, version: int) -> RegisteredVersion:
        """Makes the version champion; the former champion is remembered for `rollback`."""
        promoted = self.resolve(class_name, version)
        if CHAMPION in promoted.aliases:
            return promoted
        former = self._former(class_name)
        current = self.champion(class_name)
        if current is not None:
            former.append(current)
        return self._crown(class_name, version, former)

    def rollback(self, class_name: str) -> RegisteredVersion:
        """Makes the former champion the champion again."""
        version = self.former_champion(class_name)
        return self._crown(class_name, version, self._former(class_name)[:-1])

    def champion(self, class_name: str) -> int | None:
        """The champion's version; None where no version is champion."""
        return self._aliases(self._registered(class_name)).get(CHAMPION)

    def former_champion(self, class_name: str) -> int:
        """The version that `rollback` returns to. Raises EugenieError (REFUSED) when there is none."""
        former = self._former(class_name)
        if not former:
            raise EugenieError(
                f"class {class_name} has no former champion to return to",
                "`eugenie models promote` chooses a version",
                ExitCode.REFUSED,
            )
        return self.resolve(class_name, former[-1]).version

    def download(self, version: RegisteredVersion) -> Path:
        """The folder of the version's detector, on this machine."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self.client.download_artifacts(version.run_id, mlflow_store.DETECTOR))
        except (MlflowException, OSError) as problem:
            raise EugenieError(
                f"{version.name} version {version.version}: its detector is unreadable: {problem}",
                f"train it again: `eugenie train --class {version.name}`",
            ) from problem

    def load(self, version: RegisteredVersion) -> TrainedDetector:
        """The version's detector."""
        return artifact.load(self.download(version))

    def _registered(self, class_name: str) -> str:
        self._site.class_named(class_name)
        return mlflow_store.registered_name(self._site, class_name)

    def _all(self, class_name: str) -> list[RegisteredVersion]:
        name = mlflow_store.registered_name(self._site, class_name)
        registered = self.client.search_model_versions(f"name='{name}'")
        aliases = self._aliases(name) if registered else {}
        versions = [self._version(class_name, version, aliases) for version in registered]
        return sorted(versions, key=lambda version: -version.version)

    def _aliases(self, name: str) -> dict[str, int]:
        """Version number by alias."""
        from mlflow.exceptions import MlflowException

        try:
            return {alias: int(version) for alias, version in self.client.get_registered_model(name).aliases.items()}
        except MlflowException:
            return {}

    def _version(self, class_name: str, entry: Any, aliases: dict[str, int]) -> RegisteredVersion:
        number = int(entry.version)
        run = self._run(entry.run_id)
        held = tuple(sorted(alias for alias, version in aliases.items() if version == number))
        return RegisteredVersion(
            class_name, number, entry.run_id, held, int(entry.creation_timestamp),
            dict(run.metrics) if run else None, run.params.get(TYPE_PARAM) if run else None,
            entry.tags.get(f"{GATE_TAG}.verdict"), run is None,
        )  # fmt: skip

    def _run(self, run_id: str) -> RunData | None:
        """What the run logged; None for a run that was deleted permanently, which its version outlives."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run_id).data
        except MlflowException as problem:
            if problem.error_code not in _GONE:
                raise
            return None

    def _former(self, class_name: str) -> list[int]:
        name = self._registered(class_name)
        if not self._all(class_name):
            raise EugenieError(f"class {class_name} has no version", f"`eugenie train --class {class_name}`")
        return [int(version) for version in json.loads(self.client.get_registered_model(name).tags.get(_FORMER, "[]"))]

    def _crown(self, class_name: str, version: int, former: list[int]) -> RegisteredVersion:
        name = mlflow_store.registered_name(self._site, class_name)
        self.client.set_registered_model_tag(name, _FORMER, json.dumps(former))
        self.client.set_registered_model_alias(name, CHAMPION, str(version))
        if self._aliases(name).get(CHALLENGER) == version:
            self.client.delete_registered_model_alias(name, CHALLENGER)
        return self.resolve(class_name, version)
