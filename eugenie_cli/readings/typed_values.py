"""Values that messages write as objects: the value, with its own instant and quality if it has them.

- OPC UA's DataValue (OPC 10000-6, 5.4.2.18), as in PubSub messages (OPC 10000-14, 7.2.5), in OPC Publisher's and
  node-opcua's: {"Value": 12.5, "SourceTimestamp": ..., "StatusCode": {"Code": ..., "Symbol": ...}}. With a member that
  OPC UA does not define, the object is another system's, which may state a bad quality there: it is not read;
- OPC UA's Variant with its type: {"Type": 10, "Body": 12.5}, {"UaType": 10, "Value": 12.5};
- a digital state of PI: {"Name": "OPEN", "Value": 1, "IsSystem": false}. A system state, such as No Data, is bad;
- a member named by its type, as SiteWise and Protobuf's JSON write it: {"doubleValue": 12.5}, {"integerValue": 12}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from eugenie_cli.readings.values import STATUS_TEXTS

TYPED = (
    *("doubleValue", "integerValue", "booleanValue", "stringValue"),  # SiteWise
    *("floatValue", "intValue", "longValue", "int64Value", "boolValue", "numberValue"),  # Sparkplug and others
    *("double_value", "float_value", "int_value", "long_value", "boolean_value", "bool_value", "string_value"),
)
"""Names of members that state the type of their value; a record has one of them."""
NULL_VALUE = "nullValue"
"""The member in place of one of these if there is no value (SiteWise)."""
NULL_MARK = "isNull"
"""The member of a record that is true if it has no value (Sparkplug B)."""
ERROR_MARKS = ("error", "errorCode", "error_code", NULL_MARK, "is_null")
"""Members of a record that explain a missing value: what they mean is bad quality (Neuron's `error`)."""

_TYPED = frozenset(TYPED)
_VALUE, _STATUS, _SOURCE, _SERVER = "Value", "StatusCode", "SourceTimestamp", "ServerTimestamp"
_OTHER_NAMES = {
    **{"value": _VALUE, "statusCode": _STATUS, "sourceTimestamp": _SOURCE, "serverTimestamp": _SERVER},  # node-opcua
    "Body": _VALUE,
}
_DATA_VALUE = frozenset({_VALUE, _STATUS, "Status", _SOURCE, _SERVER, *_OTHER_NAMES} - {"value", "Body"})
"""Members of which an OPC UA value has at least one, unless it is a Variant."""
_OPC_UA = frozenset(
    {
        *_DATA_VALUE,
        *_OTHER_NAMES,
        *("Type", "UaType", "Dimensions", "SourcePicoseconds", "ServerPicoseconds"),
        *("dataType", "sourcePicoseconds", "serverPicoseconds"),
    }
)
"""All members of OPC UA values."""
_DIGITAL_STATE = frozenset({"Name", _VALUE, "IsSystem"})


class TypedValue(NamedTuple):
    """What an object states; None for what it does not. Instants are ISO 8601 text, in UTC without an offset."""

    value: Any
    source_ts: Any = None
    server_ts: Any = None
    status: Any = None
    """An OPC UA status code: number, text or object."""


def typed_value(raw: Mapping[str, Any]) -> TypedValue | None:
    """The object's value with its own instant and quality; None if it is of none of the kinds above."""
    if not _DATA_VALUE.isdisjoint(raw) or ("Body" in raw and "Type" in raw):
        return _of_opc_ua(raw) if raw.keys() <= _OPC_UA else _of_digital_state(raw)
    names = [name for name in raw if name in _TYPED]
    if len(names) == 1:
        return TypedValue(raw[names[0]])
    return TypedValue(None) if NULL_VALUE in raw and not names else None


def _of_opc_ua(raw: Mapping[str, Any]) -> TypedValue | None:
    """The members by their usual names; None if two of them are the same one."""
    if not _OTHER_NAMES.keys().isdisjoint(raw):
        renamed = {_OTHER_NAMES.get(name, name): inner for name, inner in raw.items()}
        if len(renamed) < len(raw):
            return None
        raw = renamed
        status = raw.get(_STATUS)
        if isinstance(status, dict) and "value" in status:  # node-opcua: {"value": 0}
            raw[_STATUS] = status["value"]
    status = raw.get(_STATUS)
    status = raw.get("Status") if status is None else status
    return TypedValue(_of_variant(raw.get(_VALUE)), raw.get(_SOURCE), raw.get(_SERVER), status)


def _of_digital_state(raw: Mapping[str, Any]) -> TypedValue | None:
    """The number of a state of PI; None for any other object. A system state has no value: its number is not measured.

    PI Web API before 2017 wrote no `IsSystem`: there the name tells.
    """
    name = raw.get("Name")
    if not (isinstance(name, str) and _VALUE in raw and raw.keys() <= _DIGITAL_STATE):
        return None
    is_system = raw.get("IsSystem", name.strip().lower() in STATUS_TEXTS)
    return TypedValue(None if is_system is True else raw[_VALUE]) if isinstance(is_system, bool) else None


def _of_variant(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "Type" in value or "dataType" in value:
        return value.get("Body", value.get("value"))
    return value


def explains_absence(record: Mapping[str, Any]) -> bool:
    """Whether a record without a value says why, so that its quality is bad instead of its value missing."""
    return any(record.get(name) not in (None, False, 0, "", [], {}) for name in ERROR_MARKS)


def other_types(path: str) -> tuple[str, ...]:
    """The paths at which the value of a record may be instead: for `v.doubleValue`, `v.integerValue` and so on."""
    around, dot, last = path.rpartition(".")
    return tuple(around + dot + name for name in (*TYPED, NULL_VALUE) if name != last) if last in _TYPED else ()
