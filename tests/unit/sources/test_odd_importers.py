"""Importers of other packages that raise, end the process, or return what the interface does not allow."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.history_sites import pump_site
from support.odd_package import GOOD, NEXT

from eugenie_cli import masking
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.main import main
from eugenie_cli.readings.reject_reasons import REASONS
from eugenie_cli.site.secrets import remember_written
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.interface import EXAMPLES, Tally
from eugenie_cli.sources.report import SourceReport

pytestmark = pytest.mark.slow

IMPORTER = """
import numpy as np
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import SourceItem
def batch(index=0, ts=0, value=1.0):
    return Batch([("p1", "flow")], np.array([index]), np.array([ts]), np.array([value]))
class Importer:
    def __init__(self, source, site): pass
    def items(self): return [SourceItem("good", 1, {}), SourceItem("item", 1, {})]
    def missing(self, key): return "gone"
    def settings(self): return {}
    def digest(self, item): return item.key
    def read(self, item, tally, advance): yield from ()
"""


@pytest.mark.parametrize(
    ("replaced", "by", "what"),
    [
        ("pass", "1 / 0", "opening the source: ZeroDivisionError"),
        ("pass", "raise SystemExit(0)", "opening the source: SystemExit: 0"),
        ('return [SourceItem("good", 1, {}), SourceItem("item", 1, {})]', "1 / 0", "listing its items: Zero"),
        ("return {}", "return {'a': object()}", "describing its settings: TypeError"),
        ("return item.key", "return {'good': 'x'}[item.key]", "hashing item: KeyError"),
        ("yield from ()", "yield from ([] if item.key == 'good' else (1 / 0,))", "reading item: ZeroDivisionError"),
        ("yield from ()", "return None if item.key == 'item' else iter(())", "reading item: TypeError"),
        (
            "yield from ()",
            "yield from ([] if item.key == 'good' else __import__('sys').exit())",
            "reading item: SystemExit",
        ),
        (
            "yield from ()",
            "yield from ([] if item.key == 'good' else tally.reject('odd', 1))",
            "reading item: ValueError: unknown reason 'odd': use one of bad-json, ",
        ),
    ],
)
def test_an_importer_that_raises_fails_its_item_or_source_and_no_other(package, tmp_path, replaced, by, what):
    odd = import_with_csv(package, tmp_path, IMPORTER.replace(replaced, by))
    assert f"source type odd of odd-sources 1.2 failed {what}" in odd.failed[0] and NEXT in odd.failed[0]
    assert odd.new == (1 if "item" in what.split(":")[0].split() else 0)


GIVEN_ITEMS = 'SourceItem("good", 1, {}), SourceItem("item", 1, {})'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replaced", "by", "what"),
    [
        (f"[{GIVEN_ITEMS}]", "iter(())", "listing its items: it returned tuple_iterator instead of a sequence"),
        (f"[{GIVEN_ITEMS}]", "['item']", "listing its items: it returned str instead of a SourceItem"),
        (GIVEN_ITEMS, f"{GIVEN_ITEMS}, {GIVEN_ITEMS}", "it returned several items with the key good"),
        (GIVEN_ITEMS, "SourceItem(7, 1, {})", "listing its items: it returned a key or alias of 7 that is not text"),
        (GIVEN_ITEMS, "SourceItem('x', None, {})", "listing its items: it returned a size of x that is not a number"),
        (GIVEN_ITEMS, "SourceItem('x', 1, {'a': {1}})", "a state or names of x that are not JSON: Object of type set"),
        (GIVEN_ITEMS, "SourceItem('x', 1, [1])", "a state or names of x that are not JSON"),
        (GIVEN_ITEMS, "SourceItem('x', 1, {}, (), {'a': 1j})", "a state or names of x that are not JSON"),
        (GIVEN_ITEMS, "SourceItem('x', 1, {'mtime_ns': '1'})", "it returned an mtime_ns of x that is not a number"),
        ("return {}", "return ['a']", "describing its settings: TypeError"),
        ("return {}", "return {1: 2}", "describing its settings: TypeError"),
        ("return item.key", "return item.key if item.key == 'good' else 7", "hashing item: it returned int instead"),
    ],
)
def test_an_importer_that_returns_something_else_fails_its_item_or_source_and_no_other(
    package, tmp_path, replaced, by, what
):
    assert replaced in IMPORTER
    odd = import_with_csv(package, tmp_path, IMPORTER.replace(replaced, by))
    assert what in odd.failed[0] and NEXT in odd.failed[0]
    assert odd.new == (1 if what.startswith("hashing") else 0)


@pytest.mark.parametrize(
    ("yielded", "what"),
    [
        ("None", "NoneType instead of a Batch"),
        ("('p1', 'flow', 0, 1.0)", "tuple instead of a Batch"),
        ("batch(ts=-1)", "a batch with an instant before 0 or after 253402300799999 ms since 1970 UTC"),
        ("batch(ts=253_402_300_800_000)", "a batch with an instant before 0 or after"),
        ("batch(ts=1.5)", "a batch with index, ts and value of type int64, float64 and float64"),
        ("batch(ts=[0])", "a batch with index, ts and value of shape (1,), (1, 1) and (1,)"),
        ("batch(index=1)", "a batch with an index outside of its 1 series"),
        ("batch(index=-1)", "a batch with an index outside of its 1 series"),
        ("batch(value=np.inf)", "a batch with an infinite value"),
        ("batch(value=-np.inf)", "a batch with an infinite value"),
    ],
)
def test_an_importer_that_yields_something_else_than_readings_fails_its_item_and_no_other(
    package, tmp_path, yielded, what
):
    read = f"\n        yield batch(value=np.nan)\n        if item.key == 'item': yield {yielded}"
    odd = import_with_csv(package, tmp_path, IMPORTER.replace("yield from ()", read))
    assert f"odd-sources 1.2 failed reading item: it returned {what}" in odd.failed[0] and NEXT in odd.failed[0]
    assert (odd.new, odd.readings, odd.bad_quality) == (1, 1, 1)


def import_with_csv(package, folder: Path, importer: str) -> SourceReport:
    """The report of a source with this importer, after an import in which a CSV source was read as well."""
    package(f"{GOOD}SOURCE = SourceType('odd', Settings, 'odd_sources:Importer')\n{importer}")
    csv = {"name": "a", "type": "csv", "path": "p1.csv", "readings": {"shape": "wide", "asset": {"file": "{stem}"}}}
    (folder / "p1.csv").write_text("ts,flow\n2026-01-01T00:00:00Z,1\n")
    odd, good = import_sources(pump_site(folder, [{"name": "s", "type": "odd"}, csv]))
    assert (good.new, good.readings, good.failed) == (1, 1, [])
    return odd


@pytest.mark.parametrize(
    ("replaced", "by", "why"),
    [
        ('return "gone"', "return 7", ["failed explaining what is missing: it returned int instead of text"]),
        ('return "gone"', "1 / 0", ["failed explaining what is missing: ZeroDivisionError"]),
        ("return {}", "1 / 0", []),
        ("return {}", "return 7", []),
        # a database that is down has not lost what was imported from it
        (f"return [{GIVEN_ITEMS}]", "1 / 0", []),
        (f"return [{GIVEN_ITEMS}]", "return None", []),
        (f"return [{GIVEN_ITEMS}]", "raise EugenieError('the database is down', 'start it')", []),
    ],
)
def test_what_an_importer_left_is_listed_although_it_fails(package, tmp_path, replaced, by, why):
    open_history(pump_site(tmp_path)).commit("s", [Batch.of([("p1", "flow", 0, 1.0)])], key="former")
    report = import_with_csv(package, tmp_path, IMPORTER.replace(replaced, by))
    assert len(report.left) == len(why)
    assert all(text in left.why for text, left in zip(why, report.left, strict=True))


@pytest.mark.parametrize(
    ("read", "poor"),
    [
        ("yield batch()", []),
        ("tally.lost += 1; yield batch()", []),
        ("tally.records += 2; tally.lost += 1; yield batch()", []),
        ("tally.records += 2; tally.lost += 2; yield batch()", ["item: 2 of its 2 rows were rejected"]),
        ("tally.reject('late', 3); yield batch()", ["item: 3 values were rejected, 1 imported"]),
        ("tally.reject('late', 3); yield from ()", ["item gave no readings: 3 rejections"]),
        ("tally.records += 1; yield from ()", ["item gave no readings: its columns match no sensor or tag of the"]),
        ("yield from ()", ["item contains no rows"]),
    ],
)
def test_an_item_with_readings_is_not_poor_although_its_records_are_not_counted(package, tmp_path, read, poor):
    importer = IMPORTER.replace("yield from ()", read).replace(GIVEN_ITEMS, 'SourceItem("item", 1, {})')
    odd = import_with_csv(package, tmp_path, importer)
    assert [text[: len(start)] for text, start in zip(odd.poor, poor, strict=True)] == poor


def test_with_debug_what_an_importer_raises_keeps_its_traceback(package, tmp_path, monkeypatch):
    monkeypatch.setenv("EUGENIE_DEBUG", "1")
    package(f"{GOOD}SOURCE = SourceType('odd', Settings, 'odd_sources:Importer')\n{IMPORTER.replace('pass', '1 / 0')}")
    with pytest.raises(ZeroDivisionError):
        import_sources(pump_site(tmp_path, [{"name": "s", "type": "odd"}]))


def test_with_debug_an_importer_that_exits_is_still_an_error_of_its_package(package, tmp_path, monkeypatch):
    monkeypatch.setenv("EUGENIE_DEBUG", "1")
    ending = IMPORTER.replace("pass", "raise SystemExit(0)")
    package(f"{GOOD}SOURCE = SourceType('odd', Settings, 'odd_sources:Importer')\n{ending}")
    with pytest.raises(EugenieError, match=r"odd-sources 1\.2 failed opening the source: SystemExit: 0"):
        import_sources(pump_site(tmp_path, [{"name": "s", "type": "odd"}]))


def test_an_interrupt_in_an_importer_ends_the_import(package, tmp_path):
    interrupted = IMPORTER.replace("yield from ()", "raise KeyboardInterrupt; yield")
    package(f"{GOOD}SOURCE = SourceType('odd', Settings, 'odd_sources:Importer')\n{interrupted}")
    with pytest.raises(KeyboardInterrupt):
        import_sources(pump_site(tmp_path, [{"name": "s", "type": "odd"}]))


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_list_is_counted(reason):
    tally = Tally()
    assert [tally.reject(reason, 2), tally.rejected] == [EXAMPLES, {reason: 2}]


@pytest.mark.parametrize("reason", ["", "BAD-VALUE", "bad value", "unknown_tag"])
def test_another_reason_is_refused_and_not_counted(reason):
    tally = Tally()
    with pytest.raises(ValueError, match="unknown reason"):
        tally.reject(reason, 1)
    assert not tally.rejected


SECRET = "C4N4RYwritten"
SETTINGS_WITH_SECRETS = f"""
from pydantic import BaseModel, SecretStr
{GOOD}
    class Login(BaseModel):
        token: SecretStr | None = None
    password: SecretStr | None = None
    login: Login | None = None
    logins: tuple[Login, ...] = ()
    tokens: dict[str, list[SecretStr]] = {{}}
SOURCE = SourceType('odd', Settings, 'odd_sources:Importer')
"""
KAFKA = "kafka: {bootstrap: 'h:1', "
SASL = "security: {protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: u, password: C4N4RYwritten}"
AVRO = "{format: avro, asset: {path: a}, sensor: {path: s}, registry: {url: 'http://h:1', username: u, password: %s}}"


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("setting", "section"),
    [
        ("password: C4N4RYwritten", ""),
        ("password: '${env:EUGENIE_TEST_UNSET:-C4N4RYwritten}'", ""),
        ("login: {token: C4N4RYwritten}", ""),
        ("logins: [{}, {token: C4N4RYwritten}]", ""),
        ("tokens: {a: [short, C4N4RYwritten]}", ""),
        ("", f"{KAFKA}{SASL}}}"),
        ("", f"{KAFKA}readings: {AVRO % SECRET}}}"),
        ("", "tracking: {uri: 'http://h:1', token: C4N4RYwritten}"),
        ("", "tracking: {uri: 'http://h:1', username: u, password: C4N4RYwritten}"),
    ],
)
def test_a_secret_of_the_site_file_is_masked_in_what_an_importer_raises(
    package, tmp_path, monkeypatch, capsys, setting, section, debug
):
    raised = setting.split("'")[1] if ":-" in setting else SECRET  # the text that the importer is given
    failing = IMPORTER.replace("pass", f"raise RuntimeError('denied: {raised}')")
    package(f"{SETTINGS_WITH_SECRETS}{failing}")
    source = ", ".join(filter(None, ("name: s", "type: odd", setting)))
    rest = f"classes: {{p: {{sensors: [{{name: flow}}]}}}}\nassets: {{p1: {{class: p}}}}\n{section}\n"
    (tmp_path / "plant.yaml").write_text(f"site: plant\nsources: [{{{source}}}]\n{rest}")
    monkeypatch.setattr(masking, "_read", set())
    monkeypatch.setenv("EUGENIE_DEBUG", "0")
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    words = ["--debug"] * debug + ["import", "--site", str(tmp_path / "plant.yaml")]
    monkeypatch.setattr(sys, "argv", ["eugenie", *words])
    with pytest.raises(RuntimeError if debug else SystemExit) as ended:
        main()
    if debug:
        sys.excepthook(ended.type, ended.value, ended.tb)
    streams = capsys.readouterr()
    assert "denied: ********" in streams.err
    assert "C4N4RY" not in streams.out + streams.err


def test_references_are_not_remembered_as_secrets(monkeypatch):
    monkeypatch.setattr(masking, "_read", set())
    remember_written([SecretStr("${env:EUGENIE_TEST_UNSET}"), {"a": SecretStr("${file:/no/such/file}")}, 7, None])
    assert masking._read == set()
