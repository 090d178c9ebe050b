"""Pictures hold the numbers of their rows: read off the axes, not off the pixels."""

import math

import numpy as np
import pytest

from signfed.app.report.lines import curve_of, thinned
from signfed.app.report.pictures import Heatmap, Lines, PublishedTable
from signfed.app.report.style import INK, svg_of

CELLS = [
    {"strategy": rule, "attack": attack, "seed": seed, "num-byzantine": f, "acc": value + gain}
    for rule, attack, f, value in (
        ("mean", "lie", 1, 0.5), ("mean", "ipm", 1, 0.4), ("mean", "lie", 3, 0.3),
        ("krum", "lie", 1, 0.7), ("krum", "ipm", 1, 0.8), ("krum", "lie", 3, 0.6),
    )
    for seed, gain in enumerate((0, 0.01, 0.05))  # the mean, 0.02, is neither median nor middle
]  # fmt: skip
ROUNDS = [
    {"strategy": rule, "seed": seed, "round": t, "megabytes": t * (1 + seed), "acc": t / k + gain}
    for rule, k in (("mean", 100), ("krum", 50))
    for seed, gain in enumerate((0, 0.1, 0.5))
    for t in (10, 20, 30)
]


def lines_of(axes):
    return {line.get_label(): line.get_xydata().round(9).tolist() for line in axes.get_lines()}


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def test_a_line_is_the_mean_of_the_seeds_and_the_band_their_range():
    (axes,) = Lines("round", "acc", "strategy").draw(ROUNDS).axes
    assert lines_of(axes) == {
        "mean": [[10, 0.3], [20, 0.4], [30, 0.5]],
        "krum": [[10, 0.4], [20, 0.6], [30, 0.8]],
    }
    mean_band, krum_band = (c.get_paths()[0].get_extents() for c in axes.collections)
    assert np.allclose(mean_band.intervaly, (0.1, 0.8))
    assert np.allclose(krum_band.intervaly, (0.2, 1.1))
    legend = axes.figure.legends[0]
    assert legend.get_title().get_text() == "rule (mean of 3 seeds, band: lowest to highest)"


def test_lines_differ_in_colour_dash_and_marker():
    (axes,) = Lines("round", "acc", "strategy").draw(ROUNDS).axes
    a, b = axes.get_lines()
    assert a.get_color() != b.get_color() and a.get_marker() != b.get_marker()
    assert a.get_linestyle() != b.get_linestyle()


def test_seeds_that_sent_different_amounts_meet_in_their_round():
    curve = curve_of(ROUNDS[:9], "megabytes", "acc")
    assert curve.x.tolist() == [20, 40, 60] and curve.seeds == 3


def test_a_value_that_is_not_finite_leaves_a_gap():
    rows = [{"round": 1, "loss": 0.5}, {"round": 2, "loss": None}, {"round": 3}]
    curve = curve_of(rows, "round", "loss")
    assert curve.x.tolist() == [1, 2] and math.isnan(curve.mean[1])


STOPPED = [
    {"strategy": "krum", "seed": seed, "round": t, "acc": 0.1 * seed + t / 1000}
    for seed, last in enumerate((50, 60, 200)) for t in range(10, last + 1, 10)
]  # fmt: skip


def test_a_line_ends_where_the_first_of_its_seeds_does():
    """Seeds that were done early took their good values along: the mean fell without them."""
    curve = curve_of(STOPPED, "round", "acc")
    assert curve.x.tolist() == [10, 20, 30, 40, 50] and (curve.seeds, curve.fewest) == (3, 3)
    assert curve.mean.tolist() == pytest.approx([0.1 + t / 1000 for t in curve.x])


def test_over_rounds_runs_that_ended_count_and_where_none_did_all():
    ended = [row | {"status": "failed" if row["seed"] == 0 else "finished"} for row in STOPPED]
    assert curve_of(ended, "round", "acc").x[-1] == 60
    assert curve_of(ended, "round", "acc").seeds == 2
    under_way = [row | {"status": "running"} for row in STOPPED]
    assert curve_of(under_way, "round", "acc").seeds == 3


def test_the_legend_names_the_smallest_count_too():
    rows = [row for row in CELLS if row["num-byzantine"] == 3 or row["seed"] < 2]
    drawn = Lines("num-byzantine", "acc", "strategy", where={"attack": "lie"}).draw(rows)
    said = drawn.legends[0].get_title().get_text()
    assert said == "rule (mean of 2 to 3 seeds, band: lowest to highest)"


def test_half_runs_count_nowhere_and_a_broken_model_is_not_finite():
    cells = [
        {"strategy": rule, "attack": "lie", "status": status, "final_test_accuracy": worth}
        for rule, status, worth in (
            ("mean", "finished", 0.4), ("mean", "failed", 0.9), ("mean", "running", 0.9),
            ("krum", "interrupted", 0.9), ("median", "finished", 0.6), ("median", "diverged", 0.5),
        )
    ]  # fmt: skip
    heat = Heatmap("strategy", "attack", "final_test_accuracy")
    found = {rule: value for (rule, _), value in heat.table(cells).items()}
    assert found == {"mean": 0.4, "median": pytest.approx(np.nan, nan_ok=True)}
    told = [cells[0] | {"byzantine_accepted": 0.25}, cells[-1]]  # the median accepts nobody
    assert Heatmap("strategy", "attack", "byzantine_accepted").table(told) == {
        ("mean", "lie"): 0.25
    }
    ours = curve_of([row | {"f": 1} for row in cells[:4]], "f", "final_test_accuracy")
    assert ours.mean.tolist() == [0.4]
    table = PublishedTable("strategy", "attack", "final_test_accuracy", {("mean", "lie"): 40.0})
    assert table.cells(cells)[0].ours == pytest.approx(40)
    assert table.cells(cells)[0].verdict == "not decided"


def test_thinning_keeps_both_ends():
    curve = curve_of([{"round": t, "a": t} for t in range(1, 1001)], "round", "a")
    few = thinned(curve, 7)
    assert len(few.x) == 7 and few.x[[0, -1]].tolist() == [1, 1000]
    assert thinned(few, 200).x.tolist() == few.x.tolist()


def test_each_value_of_split_has_a_panel_and_one_legend_names_all():
    figure = Lines("num-byzantine", "acc", "strategy", split="attack").draw(CELLS)
    lie, ipm = figure.axes
    assert [axes.get_title(loc="left") for axes in (lie, ipm)] == ["attack: lie", "attack: ipm"]
    assert lines_of(lie)["krum"] == [[1, 0.72], [3, 0.62]]
    assert lines_of(ipm)["mean"] == [[1, 0.42]]
    assert len(figure.legends) == 1


def test_where_takes_a_value_or_several():
    drawn = Lines("num-byzantine", "acc", "strategy", where={"attack": ["ipm"], "seed": 0})
    assert lines_of(drawn.draw(CELLS).axes[0]) == {"mean": [[1, 0.4]], "krum": [[1, 0.8]]}


def test_shares_are_labelled_in_per_cent():
    rows = [{"round": t, "test_accuracy": 0.25 * t} for t in (1, 2, 3)]
    (axes,) = Lines("round", "test_accuracy", "").draw(rows).axes
    assert axes.get_ylabel() == "test accuracy (%)"
    assert axes.yaxis.get_major_formatter()(0.5, 0) == "50"


def test_nothing_to_draw_is_said():
    (axes,) = Lines("round", "acc", "strategy").draw([]).axes
    assert texts_of(axes) == ["no values yet"]


@pytest.mark.parametrize("worst, expected", [("attack", 0.42), ("", 0.47)])
def test_a_field_is_the_mean_over_seeds_and_the_lowest_over_attacks(worst, expected):
    """mean, f = 1: 0.5 + 0.02 under lie, 0.4 + 0.02 under ipm; all six: 0.45 + 0.02."""
    heat = Heatmap("strategy", "num-byzantine", "acc", worst=worst)
    assert heat.table(CELLS)["mean", 1] == pytest.approx(expected)


def test_a_run_that_diverged_before_it_was_evaluated_is_worse_than_all_others():
    cells = [{"strategy": "mean", "attack": "inf", "status": "diverged"},
             {"strategy": "mean", "attack": "lie", "status": "finished", "acc": 0.1},
             {"strategy": "krum", "attack": "lie", "status": "failed"}]  # fmt: skip
    worst = Heatmap("strategy", "status", "acc", worst="attack").table(cells)
    assert worst == {("mean", "diverged"): pytest.approx(np.nan, nan_ok=True),
                     ("mean", "finished"): 0.1}  # fmt: skip


def test_a_heatmap_prints_what_it_colours():
    picture = Heatmap("strategy", "attack", "acc", where={"num-byzantine": 3}).draw(
        [*CELLS, {"strategy": "dnc", "attack": "ipm", "num-byzantine": 3, "acc": None}]
    )
    axes, scale = picture.axes
    (mesh,) = axes.collections
    shown = np.ma.filled(mesh.get_array().reshape(3, 2), np.nan).tolist()
    assert shown[0][0] == pytest.approx(0.32) and shown[1][0] == pytest.approx(0.62)
    assert texts_of(axes) == ["0.32", "", "0.62", "", "", "n. f."]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["mean", "krum", "dnc"]
    assert scale.get_xlabel() == "acc, mean of 3 seeds"


@pytest.mark.parametrize("panels, letters", [(1, 30), (2, 105), (4, 105)])
def test_what_the_colours_stand_for_is_within_the_picture(panels, letters):
    value = ("accuracy_" * letters)[:letters]
    rows = [
        {"strategy": "krum", "attack": "lie", "f": f, "seed": seed, value: 0.5}
        for f in range(panels)
        for seed in range(3)
    ]
    figure = Heatmap("strategy", "attack", value, split="f" if panels > 1 else "").draw(rows)
    figure.canvas.draw()
    says = figure.axes[-1].xaxis.label
    assert says.get_text().endswith("mean of 3 seeds")
    box = says.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_svg_for_a_page_has_ids_of_its_own_and_the_pages_ink():
    figure = Lines("round", "acc", "strategy").draw(ROUNDS)
    text = svg_of(figure, "acc", 'a "b" <c>')
    assert text.startswith('<svg role="img" aria-label="a &quot;b&quot; &lt;c&gt;"')
    assert 'id="acc-' in text and 'id="axes' not in text and "url(#acc-" in text
    assert "currentColor" in text and INK not in text
    assert "<metadata" not in text and "<!--" not in text
    assert text == svg_of(figure, "acc", 'a "b" <c>'), "the same picture is the same file"


def test_a_logarithmic_axis_has_plain_numbers():
    rows = [{"f": 10**t, "a": 3.0 * 10**t} for t in range(3)]
    svg = svg_of(Lines("f", "a", (), log_x=True, log_y=True).draw(rows), "x", "")
    assert "mathdefault" not in svg and "$" not in svg and ">100<" in svg
