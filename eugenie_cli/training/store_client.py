"""MLflow's client, whose errors are EugenieErrors: people delete, move and restore things in MLflow's own pages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.secrets import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

Result = TypeVar("Result")

# MLflow's error codes for what it does not have: deleted things, and ids of another store.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
_MALFORMED = "INVALID_PARAMETER_VALUE"
_DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED")


class StoreError(EugenieError):
    """MLflow refused a request. `code`: MLflow's error code."""

    def __init__(self, reason: str, hint: str, code: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(reason, hint, exit_code)
        self.code = code

    @property
    def is_malformed(self) -> bool:
        """Whether the request named something by an id that this store cannot have."""
        return self.code == _MALFORMED

    @property
    def is_absent(self) -> bool:
        """Whether the store does not have what the request was about."""
        return self.code in _ABSENT


class _StoreClient:
    """Passes everything on to a client."""

    def __init__(self, client: MlflowClient, shown_uri: str) -> None:
        self._client, self._shown_uri = client, shown_uri

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return _in_words(value, self._shown_uri) if callable(value) and not name.startswith("_") else value


def in_words(client: MlflowClient, shown_uri: str) -> MlflowClient:
    """The same client; its methods raise StoreError where MLflow's raise MlflowException.

    `shown_uri`: the store's address, without secrets.
    """
    return cast("MlflowClient", _StoreClient(client, shown_uri))


def first_line(problem: BaseException) -> str:
    """The first line of the problem's message, without passwords in addresses."""
    lines = str(problem).splitlines()
    return without_password(lines[0]) if lines else type(problem).__name__


def _in_words(method: Callable[..., Result], shown_uri: str) -> Callable[..., Result]:
    from mlflow.exceptions import MlflowException

    @functools.wraps(method)
    def call(*arguments: Any, **options: Any) -> Result:
        try:
            return method(*arguments, **options)
        except MlflowException as problem:
            raise _error(problem, shown_uri) from problem

    return call


def _error(problem: MlflowException, shown_uri: str) -> StoreError:
    code = str(problem.error_code)
    if code in _DENIED:
        hint, exit_code = "check the user's rights there", ExitCode.UNREACHABLE
    elif code in _ABSENT:
        hint = "it was deleted there, or belongs to another store: `eugenie models list` shows what there is"
        exit_code = ExitCode.FAILED
    else:
        hint, exit_code = "the tracking store's own log or page may show more", ExitCode.FAILED
    return StoreError(f"the tracking store {shown_uri}: {first_line(problem)}", hint, code, exit_code)
