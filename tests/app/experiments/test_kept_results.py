"""The pages in docs/results: what the judges of today say of the rows that are kept there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from signfed.app.experiments.pages import page_of, summary_of
from signfed.app.experiments.registry import EXPERIMENTS
from signfed.app.experiments.reproduce import judged
from signfed.app.report.published import FAILS

RESULTS = Path(__file__).parents[3] / "docs/results"
KEPT = {
    file.parent.name: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(RESULTS.glob("*/verdicts.json"))
}
SETTINGS = [(name, setting) for name, found in KEPT.items() for setting in found]


def value(text):
    """A field of the file, as it was written."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"True": True, "False": False}.get(text, text)


def rows_of(name, setting):
    with (RESULTS / name / f"{setting}.csv").open(newline="") as file:
        return [
            {key: value(text) for key, text in row.items() if text} for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_says_what_todays_judges_say(name, setting):
    """But for claims of rounds, which are not kept, and files of means."""
    item, record = EXPERIMENTS[name], KEPT[name][setting]
    rows = rows_of(name, setting)
    assert [c["text"] for c in record["claims"]] == [claim.text for claim in item.claims]
    if len(rows) == record["runs"]:
        verdicts = judged(item.claims, rows, [], record["config"])
        for (claim, verdict), kept in zip(verdicts, record["claims"], strict=True):
            if not claim.of_rounds:
                now = (verdict.published, verdict.ours, verdict.tolerance, verdict.says)
                assert now == tuple(kept[k] for k in ("published", "ours", "tolerance", "verdict"))
                assert claim.source == kept["source"]


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_says_why_something_fails(name, setting):
    record = KEPT[name][setting]
    assert record["remark"] or FAILS not in [claim["verdict"] for claim in record["claims"]]


def test_the_pages_are_made_of_what_is_kept():
    for name, found in KEPT.items():
        assert (RESULTS / name / "README.md").read_text(encoding="utf-8") == page_of(found), name
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == summary_of(KEPT)
