"""One connection to a broker: paho's client, driven by the caller's thread, with what goes wrong in words."""

from __future__ import annotations

import os
import select
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TransientError
from eugenie_cli.sources.mqtt.paho_client import Client
from eugenie_cli.sources.mqtt.settings import MqttSettings
from eugenie_cli.sources.mqtt.words import of_connack, of_network, of_suback

CONNECT_S = 10.0
ANSWER_S = 20.0  # for the answers to CONNECT and SUBSCRIBE
READ_AT_ONCE = 500  # messages between two looks at what is to be written
_NO_RETAINED = 2  # MQTT 5, 3.8.3.1


class Broker:
    """A connection; a lost one is opened again by `connect`.

    `resolve`: makes a path of the site file absolute; `on_message`: called by `wait` with each of paho's messages;
    `keeps`: whether the broker keeps messages while the bridge is away. `resumed`: whether it knew the session;
    `number`: of the connection, since message ids are valid within one only.
    """

    def __init__(
        self,
        source: MqttSettings,
        client_id: str,
        resolve: Callable[[str], Path],
        on_message: Callable[[Any], None],
        keeps: bool,
    ) -> None:
        self._source, self._keeps, self._deliver = source, keeps, on_message
        parts = urlsplit(source.url)
        self._secure = parts.scheme == "mqtts"
        self._host, self._port = str(parts.hostname), parts.port or (8883 if self._secure else 1883)
        self.where = source.url
        self._is_5 = source.version == "5"
        self._password = None if source.password is None else reveal(source.password)
        self._context = self._tls(resolve) if self._secure else None
        self.client_id = client_id
        self._client: Any = None
        self._will: tuple[str, bytes] | None = None
        self._connack: Any = None
        self._suback: list[Any] | None = None
        self._ended = ""
        self._messages = 0
        self.resumed = False
        self.number = 0
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)

    def set_will(self, topic: str, payload: bytes) -> None:
        """What the broker publishes, retained, when the connection is lost. Before `connect`."""
        self._will = topic, payload

    def connect(self, filters: Sequence[str]) -> None:
        """Connect and subscribe with QoS 1. Raises TransientError, or SourceDownError for what does not pass."""
        self.close()
        client = self._client = self._new_client()
        self.number += 1
        self._connack, self._suback, self._ended = None, None, ""
        arguments: dict[str, Any] = {}
        if self._is_5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = max(1, self._source.kept_for // 1_000) if self._keeps else 0
            properties.ReceiveMaximum = self._source.in_flight
            arguments = {"clean_start": not self._keeps, "properties": properties}
        try:
            client.connect(self._host, self._port, max(1, self._source.keep_alive // 1_000), **arguments)
        except (OSError, ValueError) as error:
            raise of_network(error, self._source) from error
        self._await(lambda: self._connack is not None)
        self.resumed = bool(self._connack[0].session_present)
        if self._connack[1].is_failure:
            raise of_connack(self._connack[1], self._source, self.client_id)
        options = SubscribeOptions(qos=1, retainHandling=_NO_RETAINED)
        client.subscribe([(name, options if self._is_5 else 1) for name in filters])
        self._await(lambda: self._suback is not None)
        codes: list[Any] = self._suback or []
        for name, code in zip(filters, codes, strict=False):
            if code.is_failure:
                raise of_suback(code, name, self._source)

    def wait(self, seconds: float) -> None:
        """Read and write for at most that long, or until `wake`. Raises TransientError if the connection is lost."""
        client = self._client
        socket = client.socket()
        if socket is None:
            raise self._lost()
        pending = client.has_read_ahead or (self._secure and socket.pending() > 0)
        writing = [socket] if client.want_write() else []
        try:
            ready, writable, _ = select.select([socket, self._woken], writing, [], 0.0 if pending else seconds)
        except (OSError, ValueError):  # closed meanwhile
            raise self._lost() from None
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 1 << 16)
        code: int = 0
        if pending or socket in ready:
            code = self._read_messages()
        if code == 0 and writable:
            code = client.loop_write()
        if code == 0:
            code = client.loop_misc()
        if code != 0:
            raise self._lost(paho.error_string(paho.MQTTErrorCode(code)))

    def _read_messages(self) -> int:
        """Read what has come, without a look at the socket before each message. Returns paho's code."""
        for _ in range(READ_AT_ONCE):
            before = self._messages
            code = int(self._client.loop_read())
            if code != 0 or self._messages == before:
                return code
        return 0

    def wake(self) -> None:
        """End `wait`. Safe to call from any thread."""
        with suppress(BlockingIOError):
            os.write(self._waker, b"w")

    def acknowledge(self, mids: Iterable[int]) -> None:
        self._client.acknowledge(mids)

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=qos, retain=retain)

    def close(self) -> None:
        """End the connection; the broker keeps the session."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, ValueError):
                client.disconnect()
                client.loop_write()

    # -- paho --------------------------------------------------------------------------------------

    def _new_client(self) -> Any:
        arguments: dict[str, Any] = {} if self._is_5 else {"clean_session": not self._keeps}
        client = Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            protocol=paho.MQTTv5 if self._is_5 else paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
            **arguments,
        )
        client.connect_timeout = CONNECT_S
        if self._source.username is not None:
            client.username_pw_set(self._source.username, self._password)
        if self._context is not None:
            client.tls_set_context(self._context)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _client, _data, message: self._on_message(message)
        client.on_plain = self._on_message
        return client

    def _on_message(self, message: Any) -> None:
        self._messages += 1
        self._deliver(message)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._connack = flags, code

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        self._suback = codes

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._ended = code.getName()

    def _await(self, answered: Callable[[], bool]) -> None:
        until = time.monotonic() + ANSWER_S
        while not answered():
            if time.monotonic() >= until:
                raise TransientError(f"{self.where} does not answer", "see the broker's log", ExitCode.UNREACHABLE)
            try:
                self.wait(0.1)
            except TransientError:
                if answered():  # a broker that refuses a client closes the connection, too
                    return
                raise

    def _lost(self, why: str = "") -> EugenieError:
        why = self._ended or why
        hint = "see the broker's log"
        if why == "Session taken over":
            hint = f"another client uses the id {self.client_id}: stop it, or set `client_id` of the source"
        said = f" ({why})" if why else ""
        return TransientError(f"{self.where}: the connection was lost{said}", hint, ExitCode.UNREACHABLE)

    def _tls(self, resolve: Callable[[str], Path]) -> ssl.SSLContext:
        source = self._source
        try:
            context = ssl.create_default_context(cafile=None if source.ca is None else str(resolve(source.ca)))
            if source.certificate is not None and source.key is not None:
                context.load_cert_chain(str(resolve(source.certificate)), str(resolve(source.key)))
        except (OSError, ssl.SSLError) as error:
            raise SourceDownError(
                f"source {source.name}: `ca`, `certificate` or `key` cannot be used: {error}",
                "each names a PEM file; the key belongs to the certificate, and has no password",
            ) from error
        return context
