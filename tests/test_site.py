"""The sources of the site. `.ci/run` builds it, with broken links as errors."""

import re
import tomllib
from pathlib import Path

import pytest

from signfed.attacks.registry import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ENTRIES = tomllib.loads((DOCS / "site/entries.toml").read_text(encoding="utf-8"))
NAMES = {"rules": {*STRATEGIES, *PRE_AGGREGATIONS}, "attacks": {*ATTACKS}}
FIELDS = {"rules": {"equation", "cost", "fails"}, "attacks": {"equation", "fails"}}


@pytest.mark.parametrize("kind", NAMES)
def test_every_rule_and_attack_has_its_entry(kind):
    assert set(ENTRIES[kind]) == NAMES[kind], "docs/site/entries.toml: see CONTRIBUTING.md"
    for name, entry in ENTRIES[kind].items():
        assert set(entry) == FIELDS[kind] and all(entry.values()), name
        assert entry["equation"].count("{") == entry["equation"].count("}"), name


def test_what_an_entry_names_exists():
    known = {*NAMES["rules"], *NAMES["attacks"], *ENCODERS, *DropReason}
    for kind, entries in ENTRIES.items():
        for name, entry in entries.items():
            for code in re.findall("`([^`]+)`", entry["fails"]):
                owner = code.partition("=")[0].partition(".")[0]
                assert owner in known, f"{kind} {name}: {code}"


def test_every_page_has_a_place():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert f"- {page.name}\n" in nav, page.name


def test_the_readme_is_short_and_counts_right():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert f"{len(STRATEGIES)} rules and {len(ATTACKS)} attacks" in text


def test_nothing_is_loaded_from_elsewhere():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in config and "http" not in config
