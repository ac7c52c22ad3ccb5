"""Where the servers find the models (`serving.models`), in each of the spellings that those who read it want."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

REMOTE = "models"
"""What rclone calls the store; its settings are variables of this prefix: RCLONE_CONFIG_MODELS_..."""

_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<bucket>[^/@\s]+)(@(?P<host>[^/\s]+))?(?P<path>(/[^\s]*)?)")
_AZURE_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})\.dfs\.core\.windows\.net")


@dataclass(frozen=True)
class StoreLocation:
    """A place of models: `<place>/<class>/<version>/`.

    `kind`: folder (a volume claim in a cluster), gs, s3 or azure. `bucket`: of the object store, or Azure's container.
    `path`: within the bucket, without slashes around it; of a folder the absolute path.
    """

    kind: Literal["folder", "gs", "s3", "azure"]
    path: str
    bucket: str = ""
    account: str = ""

    @property
    def read_by_tensorflow(self) -> bool:
        """TensorFlow Serving's published images read folders and gs://. s3:// left them with 2.7, abfs:// was never
        in them: for these a second container copies."""
        return self.kind in ("folder", "gs")

    def uri(self, *below: str) -> str:
        """As the site file spells it, with folders below it."""
        parts = [part for part in (self.path, *below) if part]
        if self.kind == "folder":
            return "/".join(parts)
        if self.kind == "azure":
            return "/".join([f"abfs://{self.bucket}@{self.account}.dfs.core.windows.net", *parts])
        return "/".join([f"{self.kind}://{self.bucket}", *parts])

    def rclone(self, *below: str) -> str:
        """As rclone spells it: `models:bucket/path`."""
        return f"{REMOTE}:" + "/".join(part for part in (self.bucket, self.path, *below) if part)

    def rclone_settings(self) -> Mapping[str, str]:
        """Variables that tell rclone of the store, less what is secret. The clouds' own variables and identities hold
        (`env_auth`); a secret with RCLONE_CONFIG_MODELS_... variables of its own overrides these."""
        prefix = f"RCLONE_CONFIG_{REMOTE.upper()}_"
        if self.kind == "s3":
            return {f"{prefix}TYPE": "s3", f"{prefix}PROVIDER": "AWS", f"{prefix}ENV_AUTH": "true"}
        if self.kind == "azure":
            return {f"{prefix}TYPE": "azureblob", f"{prefix}ACCOUNT": self.account, f"{prefix}ENV_AUTH": "true"}
        return {f"{prefix}TYPE": "google cloud storage", f"{prefix}ENV_AUTH": "true"}


def store_location(site: Site) -> StoreLocation:
    """`serving.models`, or the workspace's folder. Raises EugenieError for a URI that no target can read."""
    written = site.serving.models
    if written is None:
        return StoreLocation("folder", str(workspace_of(site).models))
    if "://" not in written:
        return StoreLocation("folder", str(site.resolve(written)))
    match = _URI.fullmatch(written)
    scheme = written.partition("://")[0]
    if match is not None and scheme in ("gs", "s3") and match["host"] is None:
        return StoreLocation("gs" if scheme == "gs" else "s3", match["path"].strip("/"), match["bucket"])
    if scheme in ("abfs", "abfss"):
        host = _AZURE_HOST.fullmatch(match["host"] or "") if match is not None else None
        if match is None or host is None:
            raise EugenieError(
                f"serving.models: {written} does not say which storage account",
                "write abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
                ExitCode.INVALID_SITE,
            )
        return StoreLocation("azure", match["path"].strip("/"), match["bucket"], host["account"])
    raise EugenieError(
        f"serving.models: no model server can read {written}",
        "name a folder, s3://BUCKET/PATH, gs://BUCKET/PATH or abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
        ExitCode.INVALID_SITE,
    )
