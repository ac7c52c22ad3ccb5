"""The settings of an `opcua` source. Every command that opens such a site imports this module: it is light."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, Milliseconds, Name, PositiveMs, StatusText
from eugenie_cli.site.source_bridge import BridgeSettings
from eugenie_cli.site.source_types import SourceType
from eugenie_cli.site.source_windows import WindowSettings

_ENDPOINT = re.compile(r"opc\.tcp://(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(:\d{1,5})?(/\S*)?")
_PLACEHOLDERS = ("{tag}", "{asset}", "{sensor}")

POLICIES = {
    "None": "None",
    "Basic256Sha256": "Basic256Sha256",
    "Aes128_Sha256_RsaOaep": "Aes128Sha256RsaOaep",
    "Aes256_Sha256_RsaPss": "Aes256Sha256RsaPss",
}
"""Name of a security policy (OPC 10000-7) -> its name in asyncua."""


class OpcuaSecurity(Section):
    """How the connection is secured. Without `certificate`, eugenie makes one of its own in the site's workspace."""

    policy: Literal["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] = "None"
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    certificate: str | None = Field(None, description="eugenie's own certificate, PEM or DER; default: one is made")
    key: str | None = Field(None, description="its private key, PEM or DER")
    server_certificate: str | None = Field(
        None, description="the server's certificate, PEM or DER: no other is accepted; default: any is"
    )

    @model_validator(mode="after")
    def _both(self) -> OpcuaSecurity:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        if self.policy == "None" and self.certificate is not None:
            raise ValueError("a certificate is not used with policy None: set policy, such as Basic256Sha256")
        return self


class OpcuaUser(Section):
    """Who logs in: a name and password, or a certificate and its key. Without `user` the login is anonymous."""

    name: str | None = None
    password: SecretStr | None = None
    certificate: str | None = Field(None, description="PEM or DER")
    key: str | None = Field(None, description="its private key, PEM or DER")

    @model_validator(mode="after")
    def _one_way(self) -> OpcuaUser:
        if (self.name is None) == (self.certificate is None):
            raise ValueError("give name and password, or certificate and key")
        if (self.password is not None and self.name is None) or (self.key is None) != (self.certificate is None):
            raise ValueError("a name has a password, a certificate a key")
        return self


class OpcuaBridge(BridgeSettings):
    """The live side: what a subscription asks for."""

    sampling: Milliseconds = Field(
        1_000,
        description="how often the server looks at a node for a change of its value; 0s: as often as it can, or at each"
        " change, so that nothing falls between two looks",
    )
    publishing: PositiveMs = Field(500, description="how often the server sends what has changed")
    queue: int = Field(
        10,
        ge=1,
        le=100_000,
        description="values that the server keeps of a node between two publications; of more, the oldest are lost",
    )
    keep_alive: PositiveMs = Field(
        10_000, description="how often the server shows that it is there, if nothing changes"
    )
    backfill: bool = Field(
        True, description="whether what was missed while the server could not be reached is read from its history"
    )
    deadband: float | None = Field(None, gt=0, description="changes up to this size are not sent; default: all are")


class OpcuaSettings(WindowSettings):
    """A server of OPC UA with Historical Access. The tags of the site's assets are its node ids."""

    type: Literal["opcua"]
    endpoint: str = Field(description="opc.tcp://host:port/path")
    security: OpcuaSecurity = OpcuaSecurity()
    user: OpcuaUser | None = None
    node: Label = Field(
        "{tag}", description="node id of a tag, such as ns=3;s={tag}; {asset} and {sensor} are known too"
    )
    namespaces: dict[Annotated[int, Field(ge=1, le=65_535)], str] = Field(
        {}, description="URI of each index that node ids use: if the server moves them, the URI counts"
    )
    assets: tuple[Name, ...] = Field((), description="the assets that this server has; default: all")
    timestamps: Literal["source", "server"] = Field("source", description="whose timestamp is a value's instant")
    missing: Literal["refuse", "skip"] = Field(
        "refuse", description="what to do with nodes that the server does not have or has no history of"
    )
    status: tuple[StatusText, ...] = Field((), description="texts and numbers that mean bad quality")
    values_per_read: int = Field(10_000, ge=100, le=1_000_000, description="values of a node in one answer at most")
    nodes_per_read: int = Field(50, ge=1, le=10_000, description="nodes in one query at most; the server may lower it")
    bridge: OpcuaBridge = OpcuaBridge()

    @field_validator("endpoint")
    @classmethod
    def _is_endpoint(cls, given: str) -> str:
        if _ENDPOINT.fullmatch(given) is None:
            hint = ": give name and password under `user`" if "@" in given else ""
            raise ValueError(f"must be an endpoint such as opc.tcp://plc.example:4840{hint}")
        return given

    @field_validator("node")
    @classmethod
    def _has_known_placeholders(cls, given: str) -> str:
        for placeholder in re.findall(r"\{[^}]*\}", given):
            if placeholder not in _PLACEHOLDERS:
                raise ValueError(f"{placeholder} is unknown: use {', '.join(_PLACEHOLDERS)}")
        if "{tag}" not in given and "{sensor}" not in given:
            raise ValueError("names the same node for every tag: use {tag} or {sensor}")
        return given


SOURCE_TYPE = SourceType(
    "opcua",
    OpcuaSettings,
    "eugenie_cli.sources.opcua.importer:opcua_importer",
    live="eugenie_cli.sources.opcua.subscriber:Subscriber",
    extra="opcua",
)
