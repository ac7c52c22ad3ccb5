"""docs/readings.md: the mappings that it shows are valid and agree with the golden files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support.golden_cases import goldens

from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.readings_mapping import ReadingsMapping

PAGE = (Path(__file__).parents[3] / "docs" / "readings.md").read_text(encoding="utf-8")
EXPORTS = PAGE.index("## A mapping for each export")


def shown_in(page: str) -> list[dict]:
    """The mappings in a page's YAML, of which a block may show several."""
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    mappings = [part for block in blocks for part in re.split(r"^(?=readings:)", block, flags=re.MULTILINE)]
    return [yaml.safe_load(text)["readings"] for text in mappings if text.startswith("readings:")]


OF_FILES = shown_in(PAGE[EXPORTS : PAGE.index("\n## Messages", EXPORTS)])
SHOWN = [mapping for mapping in shown_in(PAGE) if mapping not in OF_FILES]
GOLDEN = {golden.name: golden.mapping for golden in goldens()}


@pytest.mark.parametrize("shown", SHOWN)
def test_a_mapping_on_the_page_is_valid(shown):
    assert list(check_mapping(ReadingsMapping.model_validate(shown), of_file=False, of_kafka=True)) == []


@pytest.mark.parametrize("shown", OF_FILES)
def test_a_mapping_of_an_export_is_valid(shown):
    mapping = ReadingsMapping.model_validate({"format": "csv", **shown})
    assert list(check_mapping(mapping, of_file=True)) == []


def test_the_gateways_on_the_page_are_those_of_the_golden_files():
    kepware, telegraf, *_ = (ReadingsMapping.model_validate(shown).model_dump(mode="json") for shown in SHOWN)
    assert kepware == GOLDEN["gateway_kepware"]
    assert telegraf == GOLDEN["gateway_telegraf"]


@pytest.mark.parametrize("golden", goldens(), ids=lambda golden: golden.name)
def test_config_check_accepts_every_golden_mapping(golden):
    paths = [path for path, _ in check_mapping(ReadingsMapping.model_validate(golden.mapping), of_file=False)]
    assert paths in ([], [("registry",)] if golden.schema_of else [])
