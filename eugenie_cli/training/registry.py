"""The model registry: the versions of a class, and its champion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.training import artifact, earlier_versions, mlflow_store
from eugenie_cli.training.registered_version import CHALLENGER, CHAMPION, RegisteredVersion, unreadable, way_to
from eugenie_cli.training.store_client import StoreError, first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TYPE_PARAM = "model.type"
"""Parameter of a run: the type of its detector."""
GATE_TAG = "eugenie.gate"
"""Prefix of the version tags that the promotion gate writes: verdict, reasons, figures, champion, at, by."""
# A tag of the registered model: former champions, the latest last, as a JSON list of versions.
_FORMER = "eugenie.former_champions"


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
        name = self._registered(class_name)
        try:
            if isinstance(which, str):
                version = self.client.get_model_version_by_alias(name, which)
            else:
                version = self.client.get_model_version(name, str(which))
        except StoreError as problem:
            if not (problem.is_absent or problem.is_malformed):
                raise
            what = f"version {which}" if isinstance(which, int) else which
            numbers = [other.version for other in self._all(class_name)]
            known = ", ".join(str(number) for number in numbers) or "none"
            raise EugenieError(
                f"class {class_name} has no {what} (versions: {known})", way_to(class_name, which, numbers)
            ) from problem
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
        name = self._registered(class_name)
        of_class = {earlier_versions.SITE_TAG: self.site_name, earlier_versions.CLASS_TAG: class_name}
        try:
            self.client.get_registered_model(name)
        except StoreError as problem:
            if not problem.is_absent:
                raise
            self.client.create_registered_model(name, of_class, f"anomaly detector of class {class_name}")
        all_tags = {**of_class, **(tags or {})}
        exported = earlier_versions.latest_exported(workspace_of(self._site), class_name)
        while True:
            created = self.client.create_model_version(
                name, source, run_id, all_tags, description=description, await_creation_for=0
            )
            if int(created.version) > exported:
                break
            self.client.delete_model_version(name, created.version)  # its number is that of another version's export
        self._introduce(class_name, int(created.version), run_id)
        return self.resolve(class_name, int(created.version))

    def adopt(self, class_name: str, run_id: str) -> bool:
        """Whether the run has a version. Sets the version's alias if the process died before it did."""
        name = self._registered(class_name)
        numbers = [int(version.version) for version in self.client.search_model_versions(f"run_id='{run_id}'")]
        newest = max((version.version for version in self._all(class_name)), default=0)
        if numbers and newest in numbers and newest not in self._aliases(name).values():
            self._introduce(class_name, newest, run_id)
        return bool(numbers)

    def of_run(self, class_name: str, run_id: str) -> RegisteredVersion | None:
        """The version that the run became, with its alias; None before that."""
        if not self.adopt(class_name, run_id):
            return None
        versions = self.client.search_model_versions(f"run_id='{run_id}'")
        return self.resolve(class_name, max(int(version.version) for version in versions))

    def made_by(self, class_name: str, tag: str, value: str) -> RegisteredVersion | None:
        """The newest version with this tag that can still be loaded; None without one."""
        versions = self.client.search_model_versions(f"name='{self._registered(class_name)}'")
        numbers = sorted((int(version.version) for version in versions if version.tags.get(tag) == value), reverse=True)
        known = (self.resolve(class_name, number) for number in numbers)
        return next((version for version in known if self._is_whole(version)), None)

    def _is_whole(self, version: RegisteredVersion) -> bool:
        """Whether the version's detector can be read."""
        try:
            self.load(version)
        except StoreError:
            raise
        except EugenieError:
            return False
        return True

    def _introduce(self, class_name: str, version: int, run_id: str) -> None:
        """Gives a new version its alias, and its run the version's number."""
        name = mlflow_store.registered_name(self._site, class_name)
        alias = CHAMPION if self._is_first(class_name, version, run_id) else CHALLENGER
        self.client.set_registered_model_alias(name, alias, str(version))
        self.client.set_tag(run_id, earlier_versions.VERSION_TAG, str(version))
        self.client.update_run(run_id, name=f"{class_name} version {version}")

    def _is_first(self, class_name: str, version: int, run_id: str) -> bool:
        """Whether the class has never had another version, even one that was deleted since."""
        # number 1 is used once: a registry does not reuse the numbers of deleted versions
        if version != 1 or self.champion(class_name) is not None:
            return False
        if earlier_versions.latest_exported(workspace_of(self._site), class_name):
            return False
        experiment = self.client.get_run(run_id).info.experiment_id
        return not earlier_versions.has_earlier_run(self.client, experiment, self.site_name, class_name, run_id)

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
        """The version that `rollback` returns to: the latest former champion that still exists.

        Raises EugenieError (REFUSED) when there is none.
        """
        former = self._former(class_name)
        if not former:
            raise EugenieError(
                f"class {class_name} has no former champion to return to",
                "`eugenie models promote` chooses a version",
                ExitCode.REFUSED,
            )
        return former[-1]

    def download(self, version: RegisteredVersion) -> Path:
        """The folder of the version's detector, on this machine."""
        try:
            return Path(self.client.download_artifacts(version.run_id, mlflow_store.DETECTOR))
        except (StoreError, OSError) as problem:
            raise unreadable(version, first_line(problem)) from problem

    def load(self, version: RegisteredVersion) -> TrainedDetector:
        """The version's detector. Raises EugenieError when it is missing or damaged."""
        if version.orphaned:
            raise unreadable(version, "its run was deleted permanently")
        folder = self.download(version)
        try:
            return artifact.load(folder)
        except EugenieError as problem:
            raise unreadable(version, problem.reason) from problem

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
        try:
            return {alias: int(version) for alias, version in self.client.get_registered_model(name).aliases.items()}
        except StoreError as problem:
            if not problem.is_absent:
                raise
            return {}

    def _version(self, class_name: str, entry: Any, aliases: dict[str, int]) -> RegisteredVersion:
        number = int(entry.version)
        run = self._run(entry.run_id)
        data = run.data if run else None
        held = tuple(sorted(alias for alias, version in aliases.items() if version == number))
        return RegisteredVersion(
            class_name, number, entry.run_id or "", held, int(entry.creation_timestamp),
            dict(data.metrics) if data else None, data.params.get(TYPE_PARAM) if data else None,
            entry.tags.get(f"{GATE_TAG}.verdict"), run is None,
        )  # fmt: skip

    def _run(self, run_id: str | None) -> Run | None:
        """The run; None for one that was deleted permanently, which its version outlives."""
        if not run_id:
            return None
        try:
            return self.client.get_run(run_id)
        except StoreError as problem:
            if not (problem.is_absent or problem.is_malformed):
                raise
            return None

    def _former(self, class_name: str) -> list[int]:
        """Former champions that still exist, the latest last."""
        name = self._registered(class_name)
        existing = {version.version for version in self._all(class_name)}
        if not existing:
            raise EugenieError(f"class {class_name} has no version", f"`eugenie train --class {class_name}`")
        tag = self.client.get_registered_model(name).tags.get(_FORMER, "[]")
        try:
            noted = json.loads(tag)
        except ValueError:
            noted = []  # edited in MLflow; the next promotion writes it again
        champion = self.champion(class_name)
        numbers = noted if isinstance(noted, list) else []
        return [number for number in numbers if number in existing and number != champion]

    def _crown(self, class_name: str, version: int, former: list[int]) -> RegisteredVersion:
        name = mlflow_store.registered_name(self._site, class_name)
        self.client.set_registered_model_tag(name, _FORMER, json.dumps(former))
        self.client.set_registered_model_alias(name, CHAMPION, str(version))
        if self._aliases(name).get(CHALLENGER) == version:
            self.client.delete_registered_model_alias(name, CHALLENGER)
        return self.resolve(class_name, version)
