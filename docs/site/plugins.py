"""The pages of rules and attacks, made from their files, the registry and the measured tables."""

from __future__ import annotations

import inspect
import re
import tomllib
from functools import cache
from pathlib import Path

from latex2mathml.converter import convert
from tables import tables, written

from signfed.attacks.registry import ATTACKS
from signfed.strategies.core.options import options_of
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES, build

DOCS = Path(__file__).resolve().parent.parent
SECTION = re.compile(r"^([A-Z][\w ]+)\n-+$", re.MULTILINE)
SIZES = (10, 15, 20, 50)  # numbers of workers for which a page says which f a rule admits


@cache
def entries() -> dict:
    """What entries.toml holds."""
    return tomllib.loads((DOCS / "site/entries.toml").read_text(encoding="utf-8"))


@cache
def measured() -> tuple:
    """All tables of the pages with figures."""
    pages = ("rules.md", "attacks.md", "benchmarks.md")
    found = (table for page in pages for table in tables(DOCS / page))
    return tuple(table for table in found if "reference" not in table.head)  # lists, not figures


def sections(doc: str) -> dict[str, str]:
    """Split a numpydoc docstring; "" is what comes before the first section."""
    parts = SECTION.split(doc)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def sentence(doc: str, word: str) -> str:
    """The paragraph's part that begins with "WORD:", up to an empty line or the next such word."""
    found = re.search(
        rf"{word}[^:\n]*: (.*?)(?=\n\n|\n?\b(?:Deviation|State)\b[^:\n]*:|\Z)", doc, re.S
    )
    return " ".join(found[1].split()) if found else ""


def admitted(rule: type, n: int) -> str:
    """The largest f that the rule admits with n workers, below n."""
    largest = -1
    for f in range(n):
        try:
            built = build(rule, n_byzantine=f, seed=0)
            built.check(n, 100)
        except ValueError:
            break
        if built.admissible(n):
            break
        largest = f
    return "any f" if largest == n - 1 else f"f <= {largest}" if largest >= 0 else "not admitted"


def options_table(owner: str, constructor: object) -> str:
    """Its options: key, default, values, meaning."""
    rows = [
        [f"`{o.key}`", f"`{o.default}`", o.expected, o.help] for o in options_of(constructor, owner)
    ]
    return written(["key", "default", "takes", "meaning"], rows) if rows else "It has none."


def figures(name: str) -> str:
    """Every measured table that names it, each with a link to where it is explained."""
    found = [(t.link, part) for t in measured() if (part := t.about(name))]
    papers = [
        f"[{page.parent.name}](../results/{page.parent.name}/README.md)"
        for page in sorted((DOCS / "results").glob("*/README.md"))
        if re.search(rf"\| {name} \||={name}`", page.read_text(encoding="utf-8"))
    ]
    text = "".join(f"{link}:\n\n{part}\n\n" for link, part in found)
    if papers:
        text += f"In the reproduced figures and tables: {', '.join(papers)}.\n"
    return text or "Nothing yet.\n"


def page(name: str, doc: str, about: dict, facts: dict[str, str], rest: str, module: str) -> str:
    """One page in Markdown."""
    said = sections(doc)
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items() if value)
    summary = " ".join(said[""].split("\n\n")[0].split())
    equation = convert(about["equation"], display="block")
    source = " ".join(said.get("References", "").split())
    return (
        f"# `{name}`\n\n{summary}\n\n<div class='equation'>{equation}</div>\n\n"
        f"| | |\n|---|---|\n{rows}\n| reference | {source or 'ours'} |\n\n{rest}"
        f"## When it fails\n\n{about['fails']}\n\n## Measured\n\n{figures(name)}\n"
        f"## Definition\n\nIn `{module.removeprefix('signfed.').replace('.', '/')}.py`.\n\n"
        f"::: {module}\n    options:\n      show_root_heading: false\n      heading_level: 3\n"
    )


def rule_page(name: str, rule: type, *, key: str) -> str:
    """The page of a rule, or of what comes before one."""
    about = entries()["rules"][name]
    doc = inspect.getdoc(rule) or ""
    bits = {"sign": "1", "float32": "32"}.get(getattr(rule, "encoder", ""), "1")
    facts = {
        "in a run": f"`signfed run -c \"{key}='{name}'\"`",
        "in Python": f"`signfed.{rule.__name__}`",
        "bits up a coordinate": bits if key == "strategy" else "as the rule's",
        "precondition": sentence(doc, "Precondition"),
        "needs": "`server-samples`" if getattr(rule, "needs_reference", False) else "",
        "cost on the server": about["cost"],
        "state": sentence(doc, "State"),
        "deviation from the paper": sentence(doc, "Deviation"),
    }
    rest = ""
    if key == "strategy":
        row = [admitted(rule, n) for n in SIZES]
        rest = "Largest number f of Byzantine workers that a run admits:\n\n"
        rest += written([f"n = {n}" for n in SIZES], [row]) + "\n\n"
    rest += f"## Options\n\n{options_table(name, rule)}\n\n"
    return page(name, doc, about, facts, rest, rule.__module__)


def attack_page(name: str) -> str:
    """The page of an attack."""
    attack = ATTACKS[name]
    doc = inspect.getdoc(attack.function) or ""
    asks = [w for w, yes in (("the past", attack.past), ("the rule", attack.rule)) if yes]
    facts = {
        "in a run": f"`signfed run -c \"attack='{name}'\"`",
        "knows": " and ".join([attack.knowledge, *asks]),
        "strikes": f"the {attack.stage}",
        "on real devices": "yes" if attack.knowledge == "own" else "`colluders` on one device only"
        if attack.knowledge == "colluders" else "no: an error at the start",
        "deviation from the paper": sentence(doc, "Deviation"),
    }  # fmt: skip
    rest = f"## Options\n\n{options_table(name, attack.function)}\n\n"
    about = entries()["attacks"][name]
    return page(name, doc, about, facts, rest, attack.function.__module__)


def generated() -> dict[str, dict[str, str]]:
    """Part of the navigation -> path -> Markdown."""
    rules = {f"rules/{n}.md": rule_page(n, r, key="strategy") for n, r in STRATEGIES.items()}
    before = {
        f"rules/{n}.md": rule_page(n, r, key="pre-aggregation") for n, r in PRE_AGGREGATIONS.items()
    }
    attacks = {f"attacks/{n}.md": attack_page(n) for n in ATTACKS}
    return {"Rules": rules, "Before a rule": before, "Attacks": attacks}
