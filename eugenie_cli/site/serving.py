"""The section `serving` of the site file: where models are served, by what, on which devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import PositiveMs

Port = Annotated[int, Field(ge=0, le=65535)]


class ServingTls(Section):
    """Files in PEM. With `client_ca` the server asks callers for a certificate (mTLS), and ours show `client_*`.

    `certificate`, `key` and `client_ca` are for a server that eugenie starts.
    """

    certificate: str | None = Field(None, description="the server's certificate, with its chain")
    key: str | None = Field(None, description="its private key, without a password")
    ca: str | None = Field(None, description="callers check the server by it; default: the system's authorities")
    client_ca: str | None = Field(None, description="the server checks callers by it")
    client_certificate: str | None = Field(None, description="what eugenie shows as a caller")
    client_key: str | None = None


class Batching(Section):
    """How TensorFlow Serving joins requests. The local server joins whatever waits, and needs none of it."""

    max_batch: Annotated[int, Field(ge=1, description="windows in one run")] = 256
    timeout_us: Annotated[int, Field(ge=0, description="how long a request may wait for others, in microseconds")] = (
        1_000
    )
    max_waiting: Annotated[
        int, Field(ge=1, description="full batches that may wait; beyond it callers are told to retry")
    ] = 64


class Serving(Section):
    """TensorFlow Serving or a server that speaks its API."""

    runtime: Literal["local", "docker", "kubernetes"] = "local"
    address: str | None = Field(None, description="host:port of a server that eugenie does not own")
    host: str = "127.0.0.1"
    port: Annotated[Port, Field(description="gRPC; 0: any free port")] = 0
    rest_port: Annotated[Port | None, Field(description="REST and metrics; 0: any free port; null: neither")] = None
    poll: PositiveMs = 1_000
    models: str | None = Field(
        None,
        description="where the server finds them: a folder, s3://..., gs://..., abfs://...; default: the workspace's",
    )
    reload: bool = Field(
        False,
        description="whether whoever reaches the local server may change what it serves (HandleReloadConfigRequest)",
    )
    tls: ServingTls | None = None
    batching: Batching = Batching()
    image: str | None = Field(
        None,
        description="of TensorFlow Serving, name:tag or name@sha256:...; default: the release that fits",
    )
    gpus: Literal["none", "all"] | Annotated[int, Field(ge=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = (
        Field("none", description="none, all, a count, or a list of ids (index, GPU-... or MIG-...)")
    )
    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="of each GPU's memory that the server may take"
    )
