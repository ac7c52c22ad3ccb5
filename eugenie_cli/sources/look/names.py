"""What the names of columns say about their part in a record."""

from __future__ import annotations

import re

TAG = re.compile(
    r"tag.?name|tag.?path|tag.?id|tag.?index|node.?id|point.?name|point.?id|var.?name|item.?id|item.?name|signal.?name|^_?name$|"
    r"^tags?$|^points?$|^variable$|^items?$|^node$|^path$|^measurement$|^address$|^messstelle$|^kanal$|^nokta$|^web.?id$|"
    r"history.?id|fully.?qualified|attribute.?name|^series(?:.?name)?$|^object(?:.?name)?$|^tag.?no\.?$",
    re.IGNORECASE,
)
SENSOR = re.compile(
    r"^sensor(?:.?(?:name|id))?$|^signals?$|^_?field$|^parameter$|^param$|^channel$|^metric$|^quantity$|^measurand$|"
    r"^messgr|^kind$|^property$",
    re.IGNORECASE,
)
ASSET = re.compile(
    r"^_?asset(?:.?(?:name|id))?$|^machine(?:.?(?:name|id))?$|^equipment(?:.?(?:name|id))?$|^device(?:.?(?:name|id))?$|"
    r"^host$|^station$|^pump(?:.?id)?$|^unit.?(?:id|name)$|"
    r"^maschine$|^anlage$|^makine$|^ekipman$|^turbine$|"
    r"^compressor$|^line$|^equip$|^motor$|^thing$",
    re.IGNORECASE,
)
VALUE = re.compile(
    r"^_?v?values?$|^_?(?:val|v|pv|wert|messwert|de.?er|valeur|valor|valore|waarde|reading|measured.?value)$|"
    r"var.?value|tag.?value|item.?value|point.?value|(?:float|int|double|numeric|string|bool(?:ean)?)[_ ]?value$",
    re.IGNORECASE,
)
TYPED_VALUE = re.compile(r"^(float|double|int|long|numeric|bool(?:ean)?)[_ ]?value$", re.IGNORECASE)
IDENTIFIER = re.compile(r"id$|guid|uuid|index$", re.IGNORECASE)
"""Ends the name of a column with codes that a program made up: beside it, a column of names says more."""
COUNTS_TAGS = re.compile(
    r"(?:index|idx|id|no\.?|nr\.?|num|number|channel|kanal|ch|slot|port|addr|address)$", re.IGNORECASE
)
"""Ends the name of a column whose numbers may stand for tags or machines."""
NUMBER_OF_ROW = re.compile(
    r"^(?:_?id|#|no\.?|nr\.?|index|row(?:.?(?:id|no|number))?|seq(?:uence)?(?:.?no)?|record(?:.?no)?|rn|"
    r"unnamed: 0|lfd.?nr\.?)$",
    re.IGNORECASE,
)
QUALITY = re.compile(r"qual|valid|good|opc|kalite|integrity", re.IGNORECASE)
"""A quality beyond doubt: a status may be the state of a machine."""
FLAG = re.compile(r"^(?:questionable|substituted|annotated|is.?system|future|is.?init.?value)$", re.IGNORECASE)
"""What PI and gateways say of a value beside its quality."""
LABEL = re.compile(r"^(?:anomaly|anomalies|label|labels|change.?point|fault|is.?fault|class|target)$", re.IGNORECASE)
ERROR = re.compile(
    r"^(?:is.?)?(?:error|err|alarm|trip|suspect|comm.?(?:fail|error|loss))(?:.?(?:flag|bit|state))?$", re.IGNORECASE
)
"""A column that may be a state of the machine, or say that its readings are bad."""
SECONDS = re.compile(r"^(?:secs?|seconds?|msecs?|millis?|milliseconds?|millitm|usecs?|frac(?:tion)?)$", re.IGNORECASE)
"""Columns beside an instant that some loggers write with fractions of a second."""
TAG_MORE = re.compile(
    r"unit|einheit|birim|descr|comment|note|type|mode|retrieval|marker|user|operator|source", re.IGNORECASE
)
"""Columns that say more of a tag or a reading, but are no names of tags."""
UNIT = re.compile(r"^(?P<name>.*?\S)\s*[\[({]\s*(?P<unit>[^\[\](){}]{1,12})\s*[\])}]$")
"""A column with its unit: `PT-101.PV [bar]`."""
TAG_LIKE = re.compile(r"^(?=.*[^\W\d_])[^\s,;]{2,200}$")
"""An address: a word with a letter and without blanks."""

_TIME_WORD = (
    r"(?:source.?timestamp|server.?timestamp|timestamp|time.?stamp|date.?time|t_?stamp|time|date|ts|zeitstempel|zeit|datum|tarih|"
    r"zaman|fecha|t)"
)
_QUALITY_WORD = (
    r"(?:opc.?quality|quality.?code|status.?code|quality|quali|status|validity|valid|qual|stat|flag|good|durum|"
    r"kalite|confidence|conf|güte|qc|q)"
)
_VALUE_WORD = r"(?:measured.?value|value|val|wert|pv|v)"


def split_word(name: str, kind: str) -> list[tuple[str, str]]:
    """(tag, pattern with `{tag}`) of a column named by a tag and a word of a kind: "time", "quality" or "value"."""
    word = {"time": _TIME_WORD, "quality": _QUALITY_WORD, "value": _VALUE_WORD}[kind]
    found = []
    if match := re.fullmatch(rf"(.+?)([\W_]+{word}[\W_]*|(?<=[a-z0-9]){word}[\W_]*)", name, re.IGNORECASE):
        found.append((match[1], f"{{tag}}{match[2]}"))
    if match := re.fullmatch(rf"({word}[\W_]+)(.+)", name, re.IGNORECASE):
        found.append((match[2], f"{match[1]}{{tag}}"))
    return found
