"""The model store: `serving.models` in the site file, a folder or object store from which remote model servers load.

It has the workspace's layout: `<class>/<version>/` and `models.config`. A version is uploaded file by file with its
graph last, and released afterwards: a server that follows `models.config` never loads a partial version, and a server
that scans folders ignores a version without a graph. Fetched versions are checked against their SHA-256 sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import new_folder
from eugenie_cli.locks import exclusive
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import checksums
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.tfserving.layout import SAVED_MODEL

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LEFT_ALONE = "EUGENIE_MODEL_STORE"
"""Environment variable: `off` if another step publishes, as in a pipeline, whose image then needs no storage library
or credentials."""

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs", "az": "abfs"}
"""Protocol -> the extra of eugenie that installs its library."""


class ModelStore:
    """The versions and the `models.config` of a store. Methods raise EugenieError when the store cannot be reached.

    The storage library finds its credentials itself: in environment variables, its files or the machine's role.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        with _reached(self.uri):
            self._files, self._root = _open(self.uri)

    def put(self, class_name: str, version: int, directory: Path, progress: Progress = SILENT) -> bool:
        """Copy a version into the store; False when the store already has it.

        Raises EugenieError (REFUSED) when the store has a different export under the same version number.
        """
        target = f"{self._root}/{class_name}/{version}"
        with _reached(self.uri):
            if self._files.exists(f"{target}/{SAVED_MODEL}"):
                self._check_same(f"{self.uri}/{class_name}/{version}", target, directory)
                return False
            files = sorted(
                (path.relative_to(directory) for path in directory.rglob("*") if path.is_file()),
                key=lambda path: (path.as_posix() == SAVED_MODEL, path.as_posix()),
            )
            with progress.task(f"storing {class_name} version {version}", len(files), "files") as advance:
                for path in files:
                    stored = f"{target}/{path.as_posix()}"
                    self._files.makedirs(stored.rpartition("/")[0], exist_ok=True)
                    self._files.put_file(str(directory / path), stored)
                    advance(1)
        progress.say(f"{class_name} version {version} is stored in {self.uri}/{class_name}/{version}")
        return True

    def fetch(self, class_name: str, version: int, models: Path, progress: Progress = SILENT) -> bool:
        """Copy a version into `models/<class>/<version>`, atomically; False when the folder already has it.

        Raises EugenieError (REFUSED) when a file differs from the export, the store has no such version, or the folder
        holds a different export under the same number. A local version without sums is not compared.
        """
        folder, source = models / class_name, f"{self._root}/{class_name}/{version}"
        with exclusive(folder / ".lock"):
            target = folder / str(version)
            if target.exists():
                if (target / checksums.LOCATION).exists():
                    with _reached(self.uri):
                        self._check_same(f"{self.uri}/{class_name}/{version}", source, target)
                return False
            with new_folder(target) as staged:
                with progress.task(f"fetching {class_name} version {version}"), _reached(self.uri):
                    if not self._files.exists(f"{source}/{SAVED_MODEL}"):
                        raise _refused(f"{self.uri} has no {class_name} version {version}")
                    self._files.get(f"{source}/", str(staged), recursive=True)
                damaged = checksums.problems(staged)
                if damaged:
                    raise _refused(f"{self.uri}/{class_name}/{version} is damaged: {'; '.join(damaged)}")
        return True

    def read(self, name: str) -> str | None:
        """The content of a text file in the store; None when the file does not exist."""
        with _reached(self.uri):
            path = f"{self._root}/{name}"
            return self._files.cat_file(path).decode("utf-8") if self._files.exists(path) else None

    def write(self, name: str, text: str) -> None:
        """Replace a text file in the store. Object stores replace an object atomically."""
        with _reached(self.uri):
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(f"{self._root}/{name}", text.encode("utf-8"))

    def _check_same(self, shown: str, target: str, directory: Path) -> None:
        sums = directory / checksums.LOCATION
        stored_sums = f"{target}/{checksums.LOCATION.as_posix()}"
        if self._files.exists(stored_sums) and sums.exists() and self._files.cat_file(stored_sums) == sums.read_bytes():
            return
        raise EugenieError(
            f"{shown} and {directory} are different exports",
            "move the one that is not the registry's version elsewhere, or train again to get a new version number",
            ExitCode.REFUSED,
        )


def of_site(site: HasServing) -> ModelStore | None:
    """The store in `serving.models`; None if the workspace is the store, or another step publishes (LEFT_ALONE)."""
    if site.serving.models is None or os.environ.get(LEFT_ALONE) == "off":
        return None
    return ModelStore(location(site.serving.models, site))


def copy_to_store(
    site: HasServing, class_name: str, version: int, directory: Path, progress: Progress = SILENT
) -> None:
    """Copy a published version into the site's store, if it has one. Raises EugenieError as `ModelStore.put` does."""
    store = of_site(site)
    if store is not None:
        store.put(class_name, version, directory, progress)


def location(models: str, site: HasServing) -> str:
    """`serving.models` resolved: a URI unchanged, a folder as an absolute path."""
    return models if "://" in models else str(site.resolve(models))


def _open(uri: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    protocol = uri.partition("://")[0]
    try:
        files, root = url_to_fs(uri)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        hint = f"pip install 'eugenie[{extra}]'" if extra else "install the library that fsspec names"
        raise EugenieError(f"serving.models: {uri} needs a library: {error}", hint, ExitCode.USAGE) from error
    except ValueError as error:
        raise EugenieError(
            f"serving.models: {uri}: {error}",
            "use a folder, s3://..., gs://... or abfs://...",
            ExitCode.USAGE,
        ) from error
    return files, str(root).rstrip("/")


@contextmanager
def _reached(uri: str) -> Iterator[None]:
    try:
        yield
    except EugenieError:
        raise
    except Exception as error:  # each storage library raises its own errors
        raise EugenieError(
            f"the model store {uri} cannot be used: {type(error).__name__}: {error}",
            "check serving.models in the site file, the network and the storage library's credentials",
            ExitCode.UNREACHABLE,
        ) from error


def _refused(reason: str) -> EugenieError:
    return EugenieError(
        reason, "export it again as a new version: eugenie train, then eugenie export", ExitCode.REFUSED
    )
