"""A paper's table with ours beside it, as a picture and as text."""

from dataclasses import replace

import numpy as np
import pytest

from signfed.app.report.pictures import Published, PublishedTable, within
from signfed.app.report.published import LEGEND, MARKS
from tests.app.report.test_pictures import CELLS as WIDE
from tests.app.report.test_pictures import texts_of

# The same means, of seeds that decide.
CELLS = [cell | {"acc": cell["acc"] - (0, 0.01, 0.05)[cell["seed"]]
         + 0.02 + 0.001 * (cell["seed"] - 1)} for cell in WIDE]  # fmt: skip

TABLE = PublishedTable(
    "strategy", "attack", "acc", {("mean", "lie"): 53.0, ("krum", "lie"): 72.2, ("krum", "x"): 9.0},
    title="Table I", judge=within(0.5), names={"lie": "Little", "x": "<X>"},
    where={"num-byzantine": 1},
)  # fmt: skip


def test_a_published_table_compares_field_by_field():
    mean, krum, untried = TABLE.cells(CELLS)
    assert (mean.ours, mean.verdict) == (pytest.approx(52), "does not hold")
    assert mean.difference == pytest.approx(-1)
    assert krum.verdict == "holds" and krum.difference == pytest.approx(-0.2)
    assert untried == Published("krum", "x", 9.0)


def test_seeds_that_differ_by_more_do_not_decide():
    assert [cell.verdict for cell in TABLE.cells(WIDE)[:2]] == ["not decided"] * 2


def test_its_picture_has_the_differences():
    axes = TABLE.draw(CELLS).axes[0]
    shown = np.ma.filled(axes.collections[0].get_array().reshape(2, 2), np.nan)
    assert shown[:, 0].tolist() == pytest.approx([-1, -0.2]) and np.isnan(shown[:, 1]).all()
    assert texts_of(axes) == ["52.0 ✗\n(53.0)", "", "72.0 ✓\n(72.2)", " ?\n(9.0)"]


def test_it_is_a_table_of_text_too_without_what_did_not_run():
    """Row by row as in print; a row or a column of which nothing ran is left out, and counted."""
    table = TABLE.text(CELLS)
    assert table.heads == ["rule", "Little"]
    assert table.lines == [["mean", "52.0 (53.0) -1.0 ✗"], ["krum", "72.0 (72.2) -0.2 ✓"]]
    assert table.says == (
        "Table I: acc, ours, the published value in brackets, the difference; ✓ holds, ✗ does not "
        "hold, ~ not decided, ? not tried. Tried: 2 of 3 published cells; not tried: 1."
    )
    assert TABLE.text([]) is None
    more = [*CELLS, {"strategy": "krum", "attack": "x", "num-byzantine": 1, "status": "failed"}]
    assert TABLE.text(more).lines == [
        ["mean", "52.0 (53.0) -1.0 ✗", ""], ["krum", "72.0 (72.2) -0.2 ✓", "(9.0) ~"],
    ]  # fmt: skip
    left = {"krum": "(72.2) ?", "mean": "52.0 (53.0) -1.0 ✗"}
    found = replace(TABLE, published={**TABLE.published, ("krum", "ipm"): 82.0})
    some = [row for row in CELLS if (row["strategy"], row["attack"]) != ("krum", "lie")]
    assert {name: field for name, field, *_ in found.text(some).lines} == left


def test_what_was_not_tried_has_another_mark_than_what_is_not_decided():
    assert len(set(MARKS.values())) == len(MARKS)
    scale = TABLE.draw(CELLS).axes[1]
    says = f"ours minus published: acc\n{LEGEND}"
    assert scale.get_xlabel() == says and all(mark in says for mark in MARKS.values())


def test_only_what_is_scaled_is_in_per_cent():
    table = replace(TABLE, value="honest_rejected", published={("mean", "lie"): 0.25}, scale=1.0)
    cell = {"strategy": "mean", "attack": "lie", "num-byzantine": 1, "honest_rejected": 0.25}
    assert "honest workers rejected, ours" in table.text([cell]).says
    assert "rejected (%)" not in table.draw([cell]).axes[1].get_xlabel()


def test_what_is_not_finite_holds_nowhere():
    rows = [{"strategy": "mean", "attack": "lie", "num-byzantine": 1, "acc": None}]
    (mean, *_) = TABLE.cells(rows)
    assert mean.verdict == "does not hold"
    assert texts_of(TABLE.draw(rows).axes[0])[0] == "not finite ✗\n(53.0)"
