"""The section `serving` of the site file: where models are served, by which server, on which devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import PositiveMs

Port = Annotated[int, Field(ge=0, le=65535)]


class ServingTls(Section):
    """PEM files. With `client_ca` the server requires a certificate from clients (mTLS); eugenie presents `client_*`.

    `certificate`, `key` and `client_ca` are for a server that eugenie starts.
    """

    certificate: str | None = Field(None, description="the server's certificate, with its chain")
    key: str | None = Field(None, description="its private key, without a password")
    ca: str | None = Field(None, description="authority by which clients verify the server; default: the system's")
    client_ca: str | None = Field(None, description="authority by which the server verifies clients")
    client_certificate: str | None = Field(None, description="the certificate that eugenie presents as a client")
    client_key: str | None = None


class Batching(Section):
    """How TensorFlow Serving batches requests. The local server batches all waiting requests and ignores this."""

    max_batch: Annotated[int, Field(ge=1, description="windows in one batch")] = 256
    timeout_us: Annotated[int, Field(ge=0, description="how long a request may wait for others, in microseconds")] = (
        1_000
    )
    max_waiting: Annotated[
        int, Field(ge=1, description="full batches that may wait; beyond that, clients must retry")
    ] = 64


class Serving(Section):
    """TensorFlow Serving, or a server with the same API."""

    runtime: Literal["local", "docker", "kubernetes"] = "local"
    address: str | None = Field(None, description="host:port of a server that eugenie does not manage")
    host: str = "127.0.0.1"
    port: Annotated[Port, Field(description="gRPC; 0: any free port")] = 0
    rest_port: Annotated[Port | None, Field(description="REST and metrics; 0: any free port; null: neither")] = None
    poll: PositiveMs = 1_000
    models: str | None = Field(
        None,
        description="where the server finds models: a folder, s3://..., gs://..., abfs://...; default: the workspace",
    )
    reload: bool = Field(
        False,
        description="allow any client of the local server to change what it serves (HandleReloadConfigRequest)",
    )
    tls: ServingTls | None = None
    batching: Batching = Batching.model_construct()
    image: str | None = Field(
        None,
        description="image of TensorFlow Serving, name:tag or name@sha256:...; default: the matching release",
    )
    gpus: Literal["none", "all"] | Annotated[int, Field(ge=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = (
        Field("none", description="none, all, a count, or a list of ids (index, GPU-... or MIG-...)")
    )
    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of each GPU's memory that the server may use"
    )
