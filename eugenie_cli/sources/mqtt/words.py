"""What goes wrong with a broker, in words that say what to do."""

from __future__ import annotations

import ssl
from typing import Any

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.printable import printable
from eugenie_cli.sources.failures import SourceDownError, TransientError
from eugenie_cli.sources.mqtt.settings import MqttSettings

_BUSY = frozenset({"Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded"})
_LOGIN = frozenset({"Bad user name or password", "Not authorized", "Banned", "Bad authentication method"})


def of_network(error: Exception, source: MqttSettings) -> EugenieError:
    """Why there is no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceDownError(
            f"{source.url}: the broker's certificate is not accepted: {error.verify_message}",
            "set `ca` of the source to the PEM file of the authority that signed it, and `url` to the name in it",
            ExitCode.UNREACHABLE,
        )
    if isinstance(error, ssl.SSLError):
        return SourceDownError(
            f"{source.url}: TLS fails: {printable(str(error), 200)}",
            "check that this port is for TLS; a broker that wants a certificate needs `certificate` and `key`",
            ExitCode.UNREACHABLE,
        )
    return TransientError(
        f"{source.url} cannot be reached: {printable(str(error), 200)}",
        "check `url` of the source, and that the broker runs",
        ExitCode.UNREACHABLE,
    )


def of_connack(code: Any, source: MqttSettings, client_id: str) -> EugenieError:
    """Why the broker refuses the connection. `code`: paho's reason code."""
    name = code.getName()
    if name in _BUSY:
        return TransientError(f"{source.url} is busy: {name}", "see the broker's log", ExitCode.UNREACHABLE)
    if name in _LOGIN:
        who = f"the user {source.username}" if source.username is not None else "a client without a user name"
        return SourceDownError(
            f"{source.url} refuses {who}: {name}",
            "set `username` and `password` of the source as the broker knows them",
            ExitCode.REFUSED,
        )
    if name == "Unsupported protocol version":
        return SourceDownError(
            f"{source.url} does not speak MQTT {source.version}",
            f'set `version: "{"3.1.1" if source.version == "5" else "5"}"` of the source',
        )
    if name == "Client identifier not valid":
        return SourceDownError(
            f"{source.url} refuses the client id {client_id!r}", "set `client_id` of the source", ExitCode.REFUSED
        )
    return SourceDownError(f"{source.url} refuses the connection: {name}", "see the broker's log", ExitCode.REFUSED)


def of_suback(code: Any, topic: str, source: MqttSettings) -> EugenieError:
    """Why the broker refuses a subscription."""
    who = f"user {source.username}" if source.username is not None else "a client without a user name"
    return SourceDownError(
        f"{source.url} refuses the subscription to {topic}: {code.getName()}",
        f"let {who} subscribe to it in the broker's access control list, or correct `topics` of the source",
        ExitCode.REFUSED,
    )
