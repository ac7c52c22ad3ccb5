"""A subscription: its items, its publications in order, and those that the server sends again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from eugenie_cli.sources.opcua.decode import Published, Values, decode_notifications, decode_publish
from eugenie_cli.sources.opcua.settings import OpcuaBridge
from eugenie_cli.sources.opcua.words import FEWER_NODES, UNAVAILABLE, name_of

AHEAD = 4  # requests that the server may answer at once
ITEMS_AT_ONCE = 1_000
LIFETIME = 6  # signs of life that may fail to come before the server forgets the subscription
_LAST = 0xFFFF_FFFF


class Subscription:
    """`lost`: publications that were neither received nor sent again; `sent`: when the last one was, by the server's
    clock, 100 ns since 1601, 0 if it does not say.
    """

    def __init__(self, client: Client, settings: OpcuaBridge, timeout_s: float) -> None:
        self.client, self.settings, self.timeout_s = client, settings, timeout_s
        self.id, self.lost, self.sent = 0, 0, 0
        self._silence_s = 60.0
        self._next: int | None = None
        self._acknowledged: list[Any] = []

    async def ask(self, request: Any, response: type[Any]) -> Any:
        data = await self.client.uaclient.session._send_request(request, self.timeout_s)
        decoded = struct_from_binary(response, data)
        decoded.ResponseHeader.ServiceResult.check()
        return decoded

    async def create(self) -> None:
        """Raises a UaStatusCodeError if the server refuses it."""
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        wanted.RequestedPublishingInterval = float(self.settings.publishing)
        wanted.RequestedMaxKeepAliveCount = max(1, self.settings.keep_alive // self.settings.publishing)
        wanted.RequestedLifetimeCount = LIFETIME * wanted.RequestedMaxKeepAliveCount
        wanted.MaxNotificationsPerPublish, wanted.PublishingEnabled, wanted.Priority = 0, True, 0
        granted = (await self.ask(request, ua.CreateSubscriptionResponse)).Parameters
        self.id = granted.SubscriptionId
        every_s = granted.RevisedPublishingInterval * granted.RevisedMaxKeepAliveCount / 1_000
        self._silence_s = max(5.0, 2.5 * every_s)

    async def delete(self) -> None:
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [self.id]
        await self.ask(request, ua.DeleteSubscriptionsResponse)

    async def published(self, stop: threading.Event) -> AsyncIterator[tuple[Values, ...]]:
        """The values of each publication, in order; nothing for a sign of life. Raises when the server is silent."""
        loop = asyncio.get_running_loop()
        waiting = {self._request() for _ in range(AHEAD)}
        done: set[asyncio.Task[Any]] = set()
        heard = loop.time()
        try:
            while not stop.is_set():
                done, waiting = await asyncio.wait(waiting, timeout=0.25, return_when=asyncio.FIRST_COMPLETED)
                if not done and loop.time() - heard > self._silence_s:
                    raise ConnectionError(f"no sign of life for {self._silence_s:.0f} s")
                answers = sorted((decode_publish(bytes(task.result())) for task in done), key=lambda one: one.sequence)
                for published in answers:
                    heard = loop.time()
                    waiting.add(self._request())
                    self.sent = published.sent
                    async for values in self._in_order(published):
                        yield values
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, *done, return_exceptions=True)  # asyncio would print each one's exception

    def _request(self) -> asyncio.Task[Any]:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acknowledged = self._acknowledged, []
        return asyncio.ensure_future(self.client.uaclient.session._send_request(request, 0))

    async def _in_order(self, published: Published) -> AsyncIterator[tuple[Values, ...]]:
        """The values of publications that were missed, and of this one."""
        while self._next is not None and 0 < (published.sequence - self._next) % (1 << 32) < 1 << 31:
            yield await self._again(self._next)
            self._next = _after(self._next)
        if published.is_keep_alive:  # it has the number of the next publication; some servers repeat the last one
            self._next = self._next or published.sequence
            yield ()
            return
        self._next = _after(published.sequence)
        acknowledged = ua.SubscriptionAcknowledgement()
        acknowledged.SubscriptionId, acknowledged.SequenceNumber = self.id, published.sequence
        self._acknowledged.append(acknowledged)
        for other in published.others:
            status = getattr(other, "Status", None)
            if status is not None:  # the server has ended the subscription
                raise ConnectionError(f"the server ended the subscription ({name_of(int(status.value))})")
        yield published.values

    async def _again(self, sequence: int) -> tuple[Values, ...]:
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId, request.Parameters.RetransmitSequenceNumber = self.id, sequence
        try:
            data = bytes(await self.client.uaclient.session._send_request(request, self.timeout_s))
        except UaStatusCodeError:
            self.lost += 1
            return ()
        buffer = ua.utils.Buffer(data)
        ua.ua_binary.nodeid_from_binary(buffer)
        struct_from_binary(ua.ResponseHeader, buffer)
        return decode_notifications(data, buffer.cur_pos + 12)[0]


async def monitored_items(subscription: Subscription, ids: Mapping[int, Any]) -> dict[int, str]:
    """Create an item for each node, whose handle is its position. Returns why some cannot be had."""
    absent: dict[int, str] = {}
    rest, most, plain = list(ids), ITEMS_AT_ONCE, set[int]()
    while rest:
        some, rest = rest[:most], rest[most:]
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription.id
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [
            _item(position, ids[position], subscription.settings, position not in plain) for position in some
        ]
        try:
            results = (await subscription.ask(request, ua.CreateMonitoredItemsResponse)).Results
        except UaStatusCodeError as error:
            if int(error.code) not in FEWER_NODES or len(some) == 1:
                raise
            rest, most = some + rest, max(1, len(some) // 2)
            continue
        for position, result in zip(some, results, strict=True):
            code = int(result.StatusCode.value)
            if code >> 30 != 2:
                continue
            if code in _WITHOUT_FILTER and position not in plain:
                plain.add(position)
                rest.append(position)
            else:
                absent[position] = UNAVAILABLE.get(code, name_of(code))
    return absent


_WITHOUT_FILTER = frozenset(
    {
        *(ua.StatusCodes.BadMonitoredItemFilterUnsupported, ua.StatusCodes.BadFilterNotAllowed),
        *(ua.StatusCodes.BadMonitoredItemFilterInvalid, ua.StatusCodes.BadDeadbandFilterInvalid),
    }
)


def _item(position: int, node: Any, settings: OpcuaBridge, filtered: bool) -> Any:
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId, item.ItemToMonitor.AttributeId = node, ua.AttributeIds.Value
    item.MonitoringMode = ua.MonitoringMode.Reporting
    wanted = item.RequestedParameters
    wanted.ClientHandle, wanted.SamplingInterval = position, float(settings.sampling)
    wanted.QueueSize, wanted.DiscardOldest = settings.queue, True
    if filtered:
        wanted.Filter = _filter(settings)
    return item


def _filter(settings: OpcuaBridge) -> Any:
    """Every new instant is a reading, even of an unchanged value; with a deadband only a change is."""
    chosen = ua.DataChangeFilter()
    if settings.deadband is None:
        chosen.Trigger = ua.DataChangeTrigger.StatusValueTimestamp
    else:
        chosen.Trigger = ua.DataChangeTrigger.StatusValue
        chosen.DeadbandType, chosen.DeadbandValue = int(ua.DeadbandType.Absolute), settings.deadband
    return chosen


def _after(sequence: int) -> int:
    return 1 if sequence == _LAST else sequence + 1
