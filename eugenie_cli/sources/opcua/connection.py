"""One session with a server, for threads: asyncua runs in a thread of its own, and reconnects when it is used again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from asyncua import Client, ua
from asyncua.crypto import security_policies, uacrypto
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.hazmat.primitives import serialization

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.opcua.certificates import identity, is_pem, own_identity, parse_certificate, read_file, valid
from eugenie_cli.sources.opcua.server_certificates import checked, presented
from eugenie_cli.sources.opcua.settings import POLICIES, OpcuaSettings
from eugenie_cli.sources.opcua.words import Login, of_connecting, of_query, refused_channel

CONNECT_S = 20.0  # what a server may take to open a session: some check certificates online
ALIVE_S = 5.0  # a server that is only busy answers a read of its state within it
_T = TypeVar("_T")

logging.getLogger("asyncua").addHandler(logging.NullHandler())
logging.getLogger("asyncua").propagate = False  # it logs what we raise


class Connection:
    """Opens a session at the first call, and again after it was lost. Safe to use from several threads.

    `timeout_s`: of a request. Errors are EugenieErrors: TransientError, TooMuchError or SourceDownError.
    """

    def __init__(self, source: OpcuaSettings, site: Site, timeout_s: float) -> None:
        self._source, self._site, self.timeout_s = source, site, timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._login = Login(source.endpoint)
        self.sessions = 0
        """How many sessions were opened: what depends on one, such as namespace indexes, is asked for again."""

    def ask(self, request: Any) -> bytes:
        """The answer to a request, encoded, once its service's status is good."""

        async def send(client: Client) -> bytes:
            return bytes(await client.uaclient.session._send_request(request, self.timeout_s))

        return self.run(send)

    def answer(self, request: Any, response: type[_T]) -> _T:
        """The same, decoded."""

        async def send(client: Client) -> _T:
            data = await client.uaclient.session._send_request(request, self.timeout_s)
            decoded: Any = struct_from_binary(response, data)
            decoded.ResponseHeader.ServiceResult.check()
            return decoded  # type: ignore[no-any-return]

        return self.run(send)

    def run(self, work: Callable[[Client], Awaitable[_T]]) -> _T:
        """The result of `work` with an open session. Raises EugenieError."""
        client = self.connected()
        try:
            return self._in_loop(_awaited(work, client))
        except Exception as error:  # asyncua raises anything
            words = of_query(error, self._source.endpoint)
            if isinstance(words, TooMuchError) and not self._is_alive(client):
                words = TransientError(
                    f"{self._source.endpoint} does not answer any more", "see its log", ExitCode.UNREACHABLE
                )
            if isinstance(words, TransientError):
                self._drop(client)
            raise words from error

    def connected(self) -> Client:
        """The client, with an open session. Raises EugenieError."""
        with self._connecting:
            if self._client is None:
                try:
                    self._client = self._in_loop(self._open())
                except Exception as error:  # asyncua raises anything
                    raise of_connecting(error, self._login) from error
                self.sessions += 1
            return self._client

    def close(self) -> None:
        """End the session, and the thread."""
        if self._client is not None:
            self._drop(self._client)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _is_alive(self, client: Client) -> bool:
        async def state() -> None:
            await asyncio.wait_for(client.nodes.server_state.read_value(), ALIVE_S)

        try:
            self._in_loop(state())
        except Exception:  # noqa: BLE001 - whatever it is, it does not answer
            return False
        return True

    def _drop(self, client: Client) -> None:
        with self._connecting:
            if self._client is client:
                self._client = None
        with contextlib.suppress(Exception):  # it is broken anyway
            self._in_loop(asyncio.wait_for(client.disconnect(), ALIVE_S))

    async def _open(self) -> Client:
        client = Client(self._source.endpoint, timeout=CONNECT_S, watchdog_intervall=max(60.0, self.timeout_s))
        client.name = client.description = "eugenie"
        try:
            await self._secure(client)
            await self._identify(client)
            await client.connect()
        except UaStatusCodeError:
            raise
        except AssertionError as error:  # by asyncua, if the answer is a fault
            raise refused_channel(self._login) from error
        except UaError as error:
            if "No matching endpoints" in str(error):
                raise await self._not_offered() from error
            raise
        return client

    async def _secure(self, client: Client) -> None:
        security = self._source.security
        if security.policy == "None":
            return
        if security.certificate is not None and security.key is not None:
            own = identity(self._site.resolve(security.certificate), self._site.resolve(security.key))
        else:
            own = own_identity(workspace_of(self._site).opcua, self._site.site)
        client.application_uri = own.uri
        self._login = Login(self._source.endpoint, own.described, self._login.user)
        policy = getattr(security_policies, f"SecurityPolicy{POLICIES[security.policy]}")
        mode = getattr(ua.MessageSecurityMode, security.mode)
        named = None if security.server_certificate is None else self._site.resolve(security.server_certificate)
        certificate = await presented(self._source.endpoint, policy.URI, mode, CONNECT_S)
        certificate = checked(
            certificate, self._source.endpoint, named, workspace_of(self._site).opcua / "refused servers"
        )
        await client.set_security(
            policy,
            _loaded(own.certificate),
            _loaded(own.key),
            server_certificate=_loaded(certificate.public_bytes(serialization.Encoding.DER)),
            mode=mode,
        )

    async def _identify(self, client: Client) -> None:
        user = self._source.user
        if user is None:
            return
        self._login = Login(self._login.endpoint, self._login.certificate, user.name or str(user.certificate))
        if user.name is not None:
            client.set_user(user.name)
            client.set_password(reveal(user.password) if user.password is not None else "")
            return
        certificate, key = (read_file(self._site.resolve(str(path))) for path in (user.certificate, user.key))
        file = Path(str(user.certificate))
        client.user_certificate = valid(parse_certificate(certificate, file), file)
        client.user_private_key = await uacrypto.load_private_key(key, None, "pem" if is_pem(key) else "der")

    async def _not_offered(self) -> EugenieError:
        endpoints = await Client(self._source.endpoint, timeout=CONNECT_S).connect_and_get_server_endpoints()
        offered = sorted({(str(end.SecurityPolicyUri).rpartition("#")[2], end.SecurityMode.name) for end in endpoints})
        return SourceDownError(
            f"{self._source.endpoint} does not offer {self._source.security.policy}",
            "it offers "
            + ", ".join(policy if policy == "None" else f"{policy} {mode}" for policy, mode in offered)
            + ": set `security: {policy, mode}` of the source",
        )

    def _in_loop(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(self._loop,), name=f"opcua {self._source.name}", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, then end what still runs in it, and give back what it holds open."""
    try:
        loop.run_forever()
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=ALIVE_S))
    finally:
        loop.close()


async def _awaited(work: Callable[[Client], Awaitable[_T]], client: Client) -> _T:
    return await work(client)


def _loaded(content: bytes) -> uacrypto.CertProperties:
    return uacrypto.CertProperties(content, "pem" if is_pem(content) else "der")
