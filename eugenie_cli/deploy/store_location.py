"""The location of the models for the servers (`serving.models`), in the notation of each program that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

REMOTE = "models"
"""rclone's name for the store; its settings are variables with the prefix RCLONE_CONFIG_MODELS_."""

_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<bucket>[^/@\s]+)(@(?P<host>[^/\s]+))?(?P<path>(/[^\s]*)?)")
_AZURE_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})\.dfs\.core\.windows\.net")


@dataclass(frozen=True)
class StoreLocation:
    """A location of models: `<location>/<class>/<version>/`.

    `kind`: folder (a volume claim in a cluster), gs, s3 or azure. `bucket`: of the object store, or Azure's container.
    `path`: within the bucket, without leading and trailing slashes; of a folder, the absolute path.
    """

    kind: Literal["folder", "gs", "s3", "azure"]
    path: str
    bucket: str = ""
    account: str = ""

    @property
    def read_by_tensorflow(self) -> bool:
        """Whether TensorFlow Serving reads the store. Its published images read folders and gs://; s3:// was removed in
        2.7, and abfs:// was never supported, so for these a second container copies the models."""
        return self.kind in ("folder", "gs")

    def uri(self, *below: str) -> str:
        """The location in the site file's notation, followed by the folders `below`."""
        parts = [part for part in (self.path, *below) if part]
        if self.kind == "folder":
            return "/".join(parts)
        if self.kind == "azure":
            return "/".join([f"abfs://{self.bucket}@{self.account}.dfs.core.windows.net", *parts])
        return "/".join([f"{self.kind}://{self.bucket}", *parts])

    def rclone(self, *below: str) -> str:
        """The location in rclone's notation: `models:bucket/path`."""
        return f"{REMOTE}:" + "/".join(part for part in (self.bucket, self.path, *below) if part)

    def rclone_settings(self) -> Mapping[str, str]:
        """rclone's variables for the store, without secrets. Credentials come from the clouds' own variables and
        identities (`env_auth`); variables RCLONE_CONFIG_MODELS_... in a secret override these settings."""
        prefix = f"RCLONE_CONFIG_{REMOTE.upper()}_"
        if self.kind == "s3":
            return {f"{prefix}TYPE": "s3", f"{prefix}PROVIDER": "AWS", f"{prefix}ENV_AUTH": "true"}
        if self.kind == "azure":
            return {f"{prefix}TYPE": "azureblob", f"{prefix}ACCOUNT": self.account, f"{prefix}ENV_AUTH": "true"}
        return {f"{prefix}TYPE": "google cloud storage", f"{prefix}ENV_AUTH": "true"}


def store_location(site: Site) -> StoreLocation:
    """`serving.models`, or the workspace's folder. Raises EugenieError for a URI that no target can read."""
    location = site.serving.models
    if location is None:
        return StoreLocation("folder", str(workspace_of(site).models))
    if "://" not in location:
        return StoreLocation("folder", str(site.resolve(location)))
    match = _URI.fullmatch(location)
    scheme = location.partition("://")[0]
    if match is not None and scheme in ("gs", "s3") and match["host"] is None:
        return StoreLocation("gs" if scheme == "gs" else "s3", match["path"].strip("/"), match["bucket"])
    if scheme in ("abfs", "abfss"):
        host = _AZURE_HOST.fullmatch(match["host"] or "") if match is not None else None
        if match is None or host is None:
            raise EugenieError(
                f"serving.models: {location} does not name a storage account",
                "write abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
                ExitCode.INVALID_SITE,
            )
        return StoreLocation("azure", match["path"].strip("/"), match["bucket"], host["account"])
    raise EugenieError(
        f"serving.models: no model server can read {location}",
        "write a folder, s3://BUCKET/PATH, gs://BUCKET/PATH or abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
        ExitCode.INVALID_SITE,
    )
