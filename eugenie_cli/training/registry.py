"""The model registry: versions of a class, and which of them is champion."""

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
"""Before the names of a version's tags that its promotion gate left: verdict, reasons, figures, champion, at, by."""
# What MLflow answers of a run that it does not have, or whose id is none.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# A tag of the registered model: versions that were champion before, the latest last, as a JSON list.
_FORMER = "eugenie.former_champions"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a class in the registry. `name` is the class; `created` ms since 1970; `type` of its detector.

    `gate`: what the class's promotion gate said of it last: passed, refused or forced; None where it was not asked.
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
    """The store does not have its run any more, so it cannot be loaded."""


class Registry:
    """The versions of a site's classes. Methods raise EugenieError for a class or version that is not there."""

    def __init__(self, site: HasTracking, client: MlflowClient | None = None) -> None:
        self._site = site
        self._client = client

    @property
    def client(self) -> MlflowClient:
        """The store's client, connected when first asked for."""
        if self._client is None:
            self._client = mlflow_store.client(self._site)
        return self._client

    def resolve(self, class_name: str, which: str | int) -> RegisteredVersion:
        """The version with this number or alias ("champion", "challenger")."""
        from mlflow.exceptions import MlflowException

        name = self._registered(class_name)
        try:
            if isinstance(which, str):
                found = self.client.get_model_version_by_alias(name, which)
            else:
                found = self.client.get_model_version(name, str(which))
        except MlflowException as problem:
            what = f"version {which}" if isinstance(which, int) else which
            known = ", ".join(str(version.version) for version in self._all(class_name)) or "none"
            hint = f"`eugenie train --class {class_name}`" if known == "none" else "`eugenie models list` shows them"
            raise EugenieError(f"class {class_name} has no {what} (versions: {known})", hint) from problem
        return self._version(class_name, found, self._aliases(name))

    def versions(self, class_name: str) -> list[RegisteredVersion]:
        """All versions of a class with their metrics, the newest first; none before it was trained."""
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

        Where the champion was deleted there is none until one is promoted: a gate is for that, not for a training.

        `description`: Markdown, which MLflow's page of the version shows.
        """
        from mlflow.exceptions import MlflowException

        name = self._registered(class_name)
        try:
            self.client.get_registered_model(name)
        except MlflowException:
            self.client.create_registered_model(name, description=f"anomaly detector of class {class_name}")
        made = self.client.create_model_version(
            name, source, run_id, dict(tags or {}), description=description, await_creation_for=0
        )
        self._name(class_name, int(made.version))
        return self.resolve(class_name, int(made.version))

    def adopt(self, class_name: str, run_id: str) -> bool:
        """Whether the run has a version. It gets its alias, should the process have died before it had one."""
        name = self._registered(class_name)
        found = [int(version.version) for version in self.client.search_model_versions(f"run_id='{run_id}'")]
        newest = max((version.version for version in self._all(class_name)), default=0)
        if found and newest in found and newest not in self._aliases(name).values():
            self._name(class_name, newest)
        return bool(found)

    def of_run(self, class_name: str, run_id: str) -> RegisteredVersion | None:
        """The version that the run became, with its alias; None before that."""
        if not self.adopt(class_name, run_id):
            return None
        found = self.client.search_model_versions(f"run_id='{run_id}'")
        return self.resolve(class_name, max(int(version.version) for version in found))

    def made_by(self, class_name: str, tag: str, value: str) -> RegisteredVersion | None:
        """The newest version with this tag whose run is still there; None without one."""
        found = self.client.search_model_versions(f"name='{self._registered(class_name)}'")
        numbers = sorted((int(one.version) for one in found if one.tags.get(tag) == value), reverse=True)
        known = (self.resolve(class_name, number) for number in numbers)
        return next((version for version in known if not version.orphaned), None)

    def _name(self, class_name: str, version: int) -> None:
        name = mlflow_store.registered_name(self._site, class_name)
        # the first of all numbers: registries count on, whatever was deleted
        alias = CHAMPION if version == 1 and CHAMPION not in self._aliases(name) else CHALLENGER
        self.client.set_registered_model_alias(name, alias, str(version))

    def promote(self, class_name: str, version: int) -> RegisteredVersion:
        """Makes the version champion; the champion before it is remembered for `rollback`."""
        wanted = self.resolve(class_name, version)
        if CHAMPION in wanted.aliases:
            return wanted
        former = self._former(class_name)
        current = self.champion(class_name)
        if current is not None:
            former.append(current)
        return self._crown(class_name, version, former)

    def rollback(self, class_name: str) -> RegisteredVersion:
        """Makes the former champion champion again."""
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
        found = self.client.search_model_versions(f"name='{name}'")
        aliases = self._aliases(name) if found else {}
        versions = [self._version(class_name, version, aliases) for version in found]
        return sorted(versions, key=lambda version: -version.version)

    def _aliases(self, name: str) -> dict[str, int]:
        """Version number by alias."""
        from mlflow.exceptions import MlflowException

        try:
            return {alias: int(version) for alias, version in self.client.get_registered_model(name).aliases.items()}
        except MlflowException:
            return {}

    def _version(self, class_name: str, found: Any, aliases: dict[str, int]) -> RegisteredVersion:
        number = int(found.version)
        run = self._run(found.run_id)
        held = tuple(sorted(alias for alias, version in aliases.items() if version == number))
        return RegisteredVersion(
            class_name, number, found.run_id, held, int(found.creation_timestamp),
            dict(run.metrics) if run else None, run.params.get(TYPE_PARAM) if run else None,
            found.tags.get(f"{GATE_TAG}.verdict"), run is None,
        )  # fmt: skip

    def _run(self, run_id: str) -> RunData | None:
        """What the run logged; None for one that was deleted for good, which its version outlives."""
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
