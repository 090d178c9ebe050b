"""Reports: what folders hold, on one page that needs nothing else."""

import csv
import io
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from itertools import product

import pytest
from flwr.app import MetricRecord
from matplotlib.figure import Figure
from rich.console import Console
from typer.testing import CliRunner

from signfed import Mean
from signfed.app.cli import app
from signfed.app.report import many_runs, one_run
from signfed.app.report.closing import print_closing
from signfed.app.report.document import Table
from signfed.app.report.reading import Run
from signfed.app.report.sources import find
from signfed.app.report.tracking import named_runs, write_events
from signfed.app.report.workers import NOT_ASKED, STATES, draw_raster, raster
from signfed.app.report.writing import html_of, markdown_of
from tests.app.report.folders import CONFIG, ROUNDS, SUMMARY, line, run_folder, sweep_folder
from tests.strategies.server.drop_in.app import grid, model

VOID = {"meta", "link", "img", "br", "path", "use", "input"}


class Page(HTMLParser):
    """Text of each kind of element, what is loaded, and whether all that opens is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loaded, self.ids, self.rows, self.titles = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            if name in found:
                self.loaded.append(found[name])
        if tag == "tr":
            self.rows.append([])
        if tag not in VOID:
            self.open.append(tag)
            self.said = ""

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self.rows[-1].append(self.said)
        if tag in ("h1", "h2", "summary"):
            self.titles.append(self.said)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data):
        self.said = getattr(self, "said", "") + data


def reported(*arguments):
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def page_of(path):
    text = (path / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    path = run_folder(tmp_path_factory.mktemp("one") / "run")
    assert reported(path) == f"report {path / 'report.html'}\n"
    return path


def test_a_run_has_its_page_with_files_beside_it(one):
    assert sorted(file.name for file in (one / "report").iterdir()) == [
        "dropped.png", "errors.png", "loss.png", "overview.png", "report.md", "rounds.csv",
        "traffic.png", "worker-crossover.png",
    ]  # fmt: skip
    _, page = page_of(one)
    assert page.titles == [
        "sign-fd under sign-inversion, digits", "Accuracy", "Workers", "Traffic",
        "What went wrong", "Configuration: what differs from the defaults",
        "Configuration: every key", "Versions and files",
    ]  # fmt: skip


def test_it_loads_nothing_and_its_ids_are_its_own(one):
    text, page = page_of(one)
    assert all(each.startswith(("#", "data:")) for each in page.loaded)
    assert "@import" not in text and "url(http" not in text
    assert len(page.ids) == len(set(page.ids)) > 0


def test_its_tables_hold_the_numbers(one):
    """Worker 0 was accepted once, rejected twice; round 4 names nobody."""
    _, page = page_of(one)
    assert ["worker", "truth", "accepted", "rejected", "dropped", "no verdict",
            "last crossover"] in page.rows  # fmt: skip
    assert ["0", "Byzantine", "1", "2", "0", "1", "0.8"] in page.rows
    assert ["2", "honest", "2", "0", "1", "1", "0.2"] in page.rows
    assert ["dropped: no-reply", "1", "1 rows of workers"] in page.rows
    assert ["lr", "0.25", "0.001"] in page.rows
    assert not any(row[0] == "momentum" for row in page.rows if len(row) == 3 and row[2] == "-")


def test_what_users_wrote_is_escaped(one):
    text, page = page_of(one)
    assert "rejected <b>" not in text
    (broken,) = [row for row in page.rows if row[0] == "broken assumption"]
    assert broken[2] == "at last in round 4: 2 of 3 rejected <b>"
    markdown = (one / "report" / "report.md").read_text(encoding="utf-8")
    assert r"2 of 3 rejected \<b\> |" in markdown


def test_markdown_and_csv_say_the_same(one):
    markdown = (one / "report" / "report.md").read_text(encoding="utf-8")
    assert "| final test accuracy | 62.5 % |" in markdown and "](overview.png)" in markdown
    assert "| 0 | Byzantine | 1 | 2 | 0 | 1 | 0.8 |" in markdown
    with (one / "report" / "rounds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["accepted"] for row in rows] == ["0 1 2", "1 2", "1", "0"]
    assert [row["megabytes"] for row in rows] == ["1.5", "3.0", "4.5", "6.0"]
    assert rows[2]["dropped no-reply"] == "1" and rows[0]["test_accuracy"] == ""


def test_the_pictures_hold_the_rounds(one):
    report = one_run.report_of(Run(one))
    figures = {picture.name: picture.figure for picture in report.pictures}
    accuracy, workers = figures["overview"].axes
    assert accuracy.get_lines()[0].get_xydata().tolist() == [[2, 0.5], [3, 0.75], [4, 0.625]]
    assert [t.get_text() for t in workers.get_yticklabels()] == ["0", "1", "2"]
    sent = {line.get_label(): line.get_xydata()[-1].tolist() for line in
            figures["traffic"].axes[0].get_lines()}  # fmt: skip
    assert sent == {
        "both directions": [6, 0.625], "to the server": [4, 0.625], "to the nodes": [2, 0.625],
    }  # fmt: skip
    crossover = figures["worker-crossover"].axes[0].get_lines()
    assert crossover[0].get_xydata().tolist() == [[1, 0.5], [2, 0.7], [3, 0.8]]
    assert crossover[0].get_color() != crossover[1].get_color()


def test_the_raster_is_what_became_of_each_worker():
    accepted, rejected, dropped, silent = range(4)
    assert STATES == ("accepted", "rejected", "dropped", "no verdict")
    assert raster(ROUNDS, [0, 1, 2]).tolist() == [
        [accepted, rejected, rejected, silent],
        [accepted, accepted, accepted, silent],
        [accepted, accepted, dropped, silent],
    ]
    sampled = [{**ROUNDS[1], "received": 1, "accepted": [1], "crossover": {}}]
    assert raster(sampled, [0, 1, 2]).tolist() == [[NOT_ASKED], [accepted], [NOT_ASKED]]


@pytest.mark.parametrize(
    "files, status",
    [
        ({"summary": None}, "running"),
        ({"rounds": [], "summary": {"status": "failed", "error": "OSError: full"}}, "failed"),
        ({"rounds": None, "config": None}, "finished"),
        ({"rounds": ROUNDS[:1], "summary": {"status": "running"}}, "running"),
        ({"rounds": [ROUNDS[1] | {"test_loss": None}, ROUNDS[2] | {"test_loss": None}],
          "summary": SUMMARY | {"status": "diverged", "diverged_round": 2}}, "diverged"),
        ({"config": {"strategy": "Krum", "n_byzantine": 1}, "byzantine": ()}, "finished"),
    ],
    ids=["running", "failed", "bare", "one round", "diverged", "another's app"],
)  # fmt: skip
def test_whatever_state_a_run_is_in_it_can_be_shown(tmp_path, files, status):
    """Figures are made, and rendered once: a run that diverged has values that are not finite."""
    report = one_run.report_of(Run(run_folder(tmp_path / "run", **files)))
    assert dict(report.headline)["status"] == status
    assert f"Status: {status}" in markdown_of(report)
    if status == "diverged":
        assert f"<dd>{status}</dd>" in html_of(report)


def test_a_rule_that_says_nothing_of_workers_has_no_table_of_them(tmp_path):
    silent = [line(t, test_accuracy=0.5, wrong_signs=0.1) for t in (1, 2)]
    report = one_run.report_of(Run(run_folder(tmp_path / "run", rounds=silent)))
    workers = next(section for section in report.sections if section.title == "Workers")
    assert [part.kind for part in workers.parts] == ["picture"]
    assert len(report.pictures[0].figure.axes) == 1, "accuracy alone, no raster"


def test_nodes_that_were_healed_or_late_are_counted(tmp_path):
    rounds = [line(1, healed=2), line(2, healed=1, late=3), line(3)]
    report = one_run.report_of(Run(run_folder(tmp_path / "run", rounds=rounds)))
    (wrong,) = [each for each in report.sections if each.title == "What went wrong"]
    assert wrong.parts[0].lines == [["healed", "2", "3 nodes"], ["late", "1", "3 nodes"]]


def test_the_headline_has_what_the_server_measured(tmp_path):
    measured = {"f1": 0.5, "recall": None, "by_class": [1, 0]}
    summary = SUMMARY | {"final_server_metrics": measured}
    headline = dict(one_run.report_of(Run(run_folder(tmp_path / "run", summary=summary))).headline)
    assert (headline["f1"], headline["recall"]) == ("0.5", "not finite")
    assert "by_class" not in headline


def test_the_raster_of_many_rounds_reaches_to_the_last(tmp_path):
    rounds = [line(t, accepted=[0, 1, 2] if t <= 2301 else [1, 2]) for t in range(1, 2402)]
    axes = Figure().add_subplot()
    draw_raster(axes, rounds, range(3), {0})
    assert [text.get_text() for text in axes.get_legend().texts] == ["accepted", "rejected"]


def test_where_neither_config_nor_rule_names_workers_they_are_counted(tmp_path):
    config = {key: value for key, value in CONFIG.items() if key != "num-workers"}
    run = Run(run_folder(tmp_path / "run", rounds=[line(1, received=2), line(2)], config=config))
    assert run.workers == [0, 1, 2]


def test_where_a_run_lies_is_no_difference_from_the_defaults(tmp_path):
    sections = one_run.report_of(Run(run_folder(tmp_path / "run"))).sections
    tables = [section.parts[0] for section in sections if section.title.startswith("Configuration")]
    differs, every = ([key for key, *_ in table.lines] for table in tables)
    assert "out-dir" in every and "out-dir" not in differs and "lr" in differs


def test_a_users_own_module_is_escaped(tmp_path):
    path = run_folder(tmp_path / "run", rounds=[], config=CONFIG | {"strategy": "mine:<Rule>"})
    text = html_of(one_run.report_of(Run(path)))
    assert "<Rule>" not in text and "mine:&lt;Rule&gt; under" in text


@pytest.mark.parametrize(
    "name", ["trust/mean", r"a\d", 'x"><img src=q onerror=alert(1)>', "../../up", "$x^$"]
)
def test_names_of_a_rules_findings_are_neither_html_nor_paths(tmp_path, name):
    """Its diagnostics name them, and a run folder may be another's."""
    rounds = [line(1, **{name: {"0": 0.5, "1": 0.25, "2": 0.75}}, test_accuracy=0.5)]
    path = run_folder(tmp_path / "run", rounds=rounds)
    reported(path)
    text, page = page_of(path)
    assert "<img src=q" not in text and all(x.startswith(("#", "data:")) for x in page.loaded)
    pictures = [file.name for file in (path / "report").glob("worker-*.png")]
    assert len(pictures) == 1 and not list(tmp_path.glob("*.png"))
    markdown = (path / "report" / "report.md").read_text(encoding="utf-8")
    assert re.search(r"(?<!\\)[<[]", re.sub(r"!\[|\]\(|\n", " ", markdown)) is None


def test_a_run_in_anothers_flower_app(tmp_path):
    Mean().start(
        grid(3), model(), 2, run_dir=tmp_path / "run",
        evaluate_fn=lambda t, x: MetricRecord({"accuracy": 0.1 * t, "loss": 1.0}),
    )  # fmt: skip
    report = one_run.report_of(Run(tmp_path / "run"))
    assert ("final test accuracy", "20.0 %") in report.headline
    assert ["strategy", "Mean {}"] in report.sections[-2].parts[0].lines
    overview = report.pictures[0].figure.axes[0].get_lines()[0]
    assert overview.get_xydata().round(6).tolist() == [[1, 0.1], [2, 0.2]]


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    path = run_folder(tmp_path / "run", summary=None)
    with (path / "rounds.jsonl").open("a") as file:
        file.write('{"round": 5, "acc')
    assert len(Run(path).rounds) == 4


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    path = sweep_folder(tmp_path_factory.mktemp("sweep") / "two")
    reported(path)
    return path


def test_a_sweep_has_curves_heatmaps_and_every_cell(sweep):
    text, page = page_of(sweep)
    assert page.titles == ["two", "Curves", "Heatmaps", "Cells"]
    assert {
        "test-accuracy-round-1.png",
        "test-accuracy-round-2.png",
        "test-accuracy-megabytes-1.png",
        "test-accuracy-megabytes-2.png",
        "heatmap-1.png",
        "cells.csv",
        "report.md",
    } == {file.name for file in (sweep / "report").iterdir()}
    cells = [row for row in page.rows if row[0] in ("krum", "mean") and len(row) > 3]
    assert len(cells) == 8
    assert cells[0][:5] == ["krum", "lie", "0", "finished", "90.0 %"]
    assert ["krum", "71.0 %", "ipm"] in page.rows and ["mean", "60.0 %", "ipm"] in page.rows
    assert [row[3] for row in cells[4:]] == ["finished", "missing", "finished", "failed"]
    assert "OSError: &lt;full&gt;" in text
    assert all(each.startswith(("#", "data:")) for each in page.loaded)


def test_its_pictures_hold_means_over_seeds(sweep):
    report = many_runs.report_of(find([sweep]), "two")
    figures = {picture.name: picture.figure for picture in report.pictures}
    (lie,) = figures["test-accuracy-round-1"].axes
    assert lie.get_ylim() == figures["test-accuracy-round-2"].axes[0].get_ylim()
    last = {line.get_label(): line.get_xydata()[-1].round(6).tolist() for line in lie.get_lines()}
    assert last == {"krum": [2, 0.91], "mean": [2, 0.8]}  # of (0.90, 0.92); the second is missing
    heat = figures["heatmap-1"].axes[0]
    assert [text.get_text() for text in heat.texts] == ["91.0", "71.0", "80.0", "60.0"]


def test_with_a_third_key_the_worst_attack_is_shown(tmp_path):
    worth = {("lie", 1): 0.9, ("lie", 2): 0.5, ("ipm", 1): 0.8, ("ipm", 2): 0.6}
    for rule in ("krum", "mean"):
        for (attack, f), value in worth.items():
            keys = {"strategy": rule, "attack": attack, "num-byzantine": f}
            value -= 0.1 * (rule == "mean")
            run_folder(
                tmp_path / f"{rule}{attack}{f}", config=CONFIG | keys,
                summary=SUMMARY | {"final_test_accuracy": value},
            )  # fmt: skip
    report = many_runs.report_of(find([tmp_path]), "eight")
    figures = {picture.name: picture.figure for picture in report.pictures}
    second, worst = figures["heatmap-1b"].axes[0], figures["heatmap-2"].axes[0]
    assert [text.get_text() for text in second.texts] == [
        "60.0",
        "50.0",
        "50.0",
        "40.0",
    ]  # ipm, lie
    assert [text.get_text() for text in worst.texts] == ["80.0", "50.0", "70.0", "40.0"]
    limits = [figures[f"heatmap-1{x}"].axes[0].collections[0].get_clim() for x in "ab"]
    assert limits[0] == limits[1] == pytest.approx((0.4, 0.9))
    (table,) = [part for part in report.sections[1].parts if isinstance(part, Table)]
    assert table.lines[1] == ["krum", "2", "50.0 %", "lie"]


@pytest.mark.parametrize("key", ["dirichlet.alpha", "gamma-similarity.gamma"])
@pytest.mark.parametrize("attacks", [("lie", "ipm"), ("ipm",)])
def test_how_unlike_the_data_are_is_shown_beside_the_number_of_byzantine_workers(
    tmp_path, key, attacks
):
    """A picture a rule, under the worst attack: 0.9 less 0.1 for each step to the bad."""
    for rule, attack, alpha, f in product(("krum", "mean"), attacks, (0.1, 1.0), (1, 2)):
        keys = {"strategy": rule, "attack": attack, key: alpha, "num-byzantine": f}
        steps = 2 * (rule == "mean") + (attack == "ipm") + (alpha == 0.1) + (f == 2)
        summary = SUMMARY | {"final_test_accuracy": 0.9 - 0.1 * steps}
        run_folder(tmp_path / f"{rule}{attack}{alpha}{f}", [], CONFIG | keys, summary)
    report = many_runs.report_of(find([tmp_path]), "sixteen")
    pictures = {picture.name: picture for picture in report.pictures}
    for name, rule, fields in (
        ("a", "krum", ["70.0", "60.0", "80.0", "70.0"]),
        ("b", "mean", ["50.0", "40.0", "60.0", "50.0"]),
    ):
        name = f"heatmap-{1 + len(attacks)}{name}"
        assert [text.get_text() for text in pictures[name].figure.axes[0].texts] == fields
        assert pictures[name].says == (
            f"Final test accuracy (%) by {key} and Byzantine workers"
            f"{', the lowest over attack' if len(attacks) > 1 else ''}; rule: {rule}."
        )


def test_of_losses_the_worst_case_is_the_highest(tmp_path):
    worth = {("lie", 1): 9.0, ("lie", 2): 5.0, ("ipm", 1): 8.0, ("ipm", 2): 6.0}
    for (attack, f), loss in worth.items():
        for rule in ("krum", "mean"):
            keys = {"strategy": rule, "attack": attack, "num-byzantine": f}
            summary = {"status": "finished", "final_test_loss": loss + (rule == "mean")}
            run_folder(tmp_path / f"{rule}{attack}{f}", [], CONFIG | keys, summary)
    report = many_runs.report_of(find([tmp_path]), "eight")
    (worst,) = [picture for picture in report.pictures if picture.name == "heatmap-2"]
    fields, scale = worst.figure.axes
    assert [text.get_text() for text in fields.texts] == ["9", "6", "10", "7"]
    assert scale.get_xlabel() == "final test loss\nhighest over attack"
    assert worst.says == ("Final test loss by rule and Byzantine workers, the highest over attack.")


def test_heatmaps_that_are_left_out_are_counted(tmp_path):
    for rule in ("krum", "mean"):
        for attack in ("lie", "ipm"):
            for lr in range(1, 11):
                config = CONFIG | {"strategy": rule, "attack": attack, "lr": lr / 10}
                run_folder(tmp_path / f"{rule}{attack}{lr}", [], config)
    report = many_runs.report_of(find([tmp_path]), "many")
    (heats,) = [section for section in report.sections if section.title == "Heatmaps"]
    said = [part.says for part in heats.parts if part.kind == "text"]
    assert said == ["2 more values of lr are left out; cells.csv has all."]


def test_runs_are_compared_by_what_differs(tmp_path):
    for rule, worth in (("krum", 0.9), ("mean", 0.4)):
        run_folder(
            tmp_path / "runs" / rule,
            config=CONFIG | {"strategy": rule, "lr": 1 - worth, "out-dir": rule},
            summary=SUMMARY | {"final_test_accuracy": worth},
        )  # fmt: skip
    reported(tmp_path / "runs" / "krum", tmp_path / "runs" / "mean", "--out", tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "2 runs; what differs: rule (2)." in text and "90.0 % (krum)" in text
    assert ["krum", "7", "krum", "finished", "90.0 %"] in [row[:5] for row in Page(text).rows]
    assert (tmp_path / "a" / "cells.csv").exists()
    assert find([tmp_path]).runs == find([tmp_path / "runs"]).runs != []


def test_options_of_one_rule_or_attack_are_part_of_its_name(tmp_path):
    """In one picture, to be compared; an option that every run has is a key of its own."""
    rules = [
        {"strategy": "mean"},
        {"strategy": "krum", "krum.m": 1},
        {"strategy": "krum", "krum.m": 2},
    ]
    attacks = [{"attack": "ipm"}, {"attack": "lie", "lie.z": 0.3}, {"attack": "lie", "lie.z": 1.0}]
    for number, keys in enumerate({**rule, **attack} for rule in rules for attack in attacks):
        run_folder(tmp_path / str(number), config=CONFIG | keys)
    document = many_runs.report_of(find([tmp_path]), "options")
    assert "what differs: rule (3), attack (3)." in document.says
    (cells,) = [part for section in document.sections if section.title == "Cells"
                for part in section.parts]  # fmt: skip
    assert [row[:2] for row in cells.lines][3:5] == [
        ["krum (m=1)", "ipm"],
        ["krum (m=1)", "lie (z=0.3)"],
    ]
    assert document.data["cells"][4]["krum.m"] == 1 and document.data["cells"][4]["attack"] == "lie"
    for number in (0, 1, 2):
        shutil.rmtree(tmp_path / str(number))
    document = many_runs.report_of(find([tmp_path]), "one rule")
    assert "what differs: attack (3), krum.m (2)." in document.says


def test_the_attack_is_named_where_each_rule_has_one_of_its_own(tmp_path):
    for rule, attack in (("krum", "lie"), ("mean", "ipm")):
        run_folder(tmp_path / rule, config=CONFIG | {"strategy": rule, "attack": attack})
    document = many_runs.report_of(find([tmp_path]), "two")
    assert "what differs: rule (2), attack (2)." in document.says
    assert {worth.split(" (")[1] for _, worth in document.headline[1:]} <= {
        "krum, lie)", "mean, ipm)"
    }  # fmt: skip


def test_a_page_of_half_runs_says_what_it_leaves_out(tmp_path):
    """A run that failed keeps its last score, and one that diverged its last before that."""
    for rule, attack, status, worth in (
        ("mean", "lie", "finished", 0.5), ("mean", "ipm", "diverged", 0.8),
        ("krum", "lie", "failed", 0.99), ("krum", "ipm", "finished", 0.7),
    ):  # fmt: skip
        keys = {"strategy": rule, "attack": attack}
        summary = SUMMARY | {"status": status, "final_test_accuracy": worth}
        run_folder(tmp_path / f"{rule}{attack}", config=CONFIG | keys, summary=summary)
    report = many_runs.report_of(find([tmp_path]), "half")
    assert ("highest final test accuracy", "70.0 % (krum, ipm)") in report.headline
    assert ("lowest final test accuracy", "n. f. (mean, ipm)") in report.headline
    (heats,) = [section for section in report.sections if section.title == "Heatmaps"]
    fields = [text.get_text() for text in heats.parts[0].figure.axes[0].texts]
    assert fields == ["70.0", "", "n. f.", "50.0"]
    assert heats.parts[-2].lines == [["krum", "70.0 %", "ipm"], ["mean", "n. f.", "ipm"]]
    assert heats.parts[-1].says == (
        "Only runs that ended count; left out: 1 failed. n. f., not finite: 1 diverged."
    )


def test_of_losses_that_of_a_run_that_diverged_is_the_highest(tmp_path):
    for rule, status, loss in (("mean", "diverged", None), ("krum", "finished", 2.5)):
        summary = {"status": status, "final_test_loss": loss}
        run_folder(tmp_path / rule, config=CONFIG | {"strategy": rule}, summary=summary)
    headline = dict(many_runs.report_of(find([tmp_path]), "losses").headline)
    assert headline["highest final test loss"] == "n. f. (mean)"
    assert headline["lowest final test loss"] == "2.5 (krum)"


def test_claims_of_a_reproduction(tmp_path):
    claim = {"text": "a > b", "source": "Fig. 1", "published": "1", "ours": "<2>",
             "tolerance": "0.1", "verdict": "does not hold"}  # fmt: skip
    (tmp_path / "fd-fig1").mkdir()
    (tmp_path / "secret.png").write_bytes(b"of somebody else")
    pictures = ["gone.png", "../secret.png", str(tmp_path / "secret.png")]
    record = {"quick": {"title": "Figure 1", "claims": [claim], "pictures": pictures}}
    (tmp_path / "fd-fig1" / "verdicts.json").write_text(json.dumps(record))
    reported(tmp_path)
    _, page = page_of(tmp_path)
    assert ["a > b", "does not hold", "1", "<2>", "0.1", "Fig. 1"] in page.rows
    assert "data:image" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_published_tables_of_a_reproduction(tmp_path):
    """Real tables, which a phone scrolls and which need no script; marks have their colours."""
    table = {"name": "quick-1", "heads": ["rule", "LIE", "IPM"], "says": "Table <1>",
             "lines": [["mean", "52.0 (53.0) -1.0 ✗", "(9.0) ?"],
                       ["krum", "72.0 (72.2) -0.2 ✓", ""]]}  # fmt: skip
    (tmp_path / "fd-fig1").mkdir()
    record = {"quick": {"title": "Table 1", "claims": [], "pictures": [], "tables": [table]}}
    (tmp_path / "fd-fig1" / "verdicts.json").write_text(json.dumps(record))
    reported(tmp_path)
    text, page = page_of(tmp_path)
    assert all(line in page.rows for line in table["lines"])
    assert '<td class="bad">52.0 (53.0) -1.0 ✗</td>' in text and "<td>(9.0) ?</td>" in text
    assert '<td class="good">72.0 (72.2) -0.2 ✓</td>' in text and "Table &lt;1&gt;" in text
    assert '</figcaption><div class="box"><table>' in text
    assert "figure .box { overflow-x: auto; }" in text  # the caption does not scroll
    assert "| krum | 72.0 (72.2) -0.2 ✓ |  |" in (tmp_path / "report/report.md").read_text("utf-8")


def test_a_score_that_is_not_finite_is_said(tmp_path):
    summary = SUMMARY | {"final_test_accuracy": None, "best_test_accuracy": 0.5}
    run_folder(tmp_path / "run", summary=summary)
    headline = dict(one_run.report_of(Run(tmp_path / "run")).headline)
    assert headline["final test accuracy"] == "not finite"
    assert headline["best test accuracy"] == "50.0 %"


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("", "", "expected a run folder"),
        ("config.json", "{", "expected JSON"),
        ("config.json", "[1, 2]", "expected a JSON object; found [1, 2]"),
        ("config.json", b"\xff", "expected JSON"),
        ("config.json", None, "expected JSON; [Errno 21] Is a directory"),
        ("rounds.jsonl", "[}\n", "expected a JSON object of a round in each line; found b'[}"),
        ("rounds.jsonl", "[1, 2]\n", "expected a JSON object of a round in each line"),
        ("rounds.jsonl", None, "cannot be read; Is a directory"),
        ("sweep.json", "{}", "expected a sweep"),
        ("sweep.json", "[1, 2]", "expected a JSON object"),
        ("sweep.json", '{"cells": [1]}', "expected a sweep"),
        ("sweep.json", None, "expected JSON; [Errno 21] Is a directory"),
        ("verdicts.json", "{", "expected JSON"),
        ("verdicts.json", '{"quick": []}', "expected what `signfed reproduce` wrote"),
    ],
)
def test_what_cannot_be_read_is_said_with_exit_code_2(tmp_path, file, text, said):
    """None: a folder is in its place."""
    if text is None:
        (tmp_path / file).mkdir()
    elif file:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    said_at_all = " ".join(result.output.split())
    assert result.exit_code == 2 and said in said_at_all and "Traceback" not in said_at_all


def test_event_files_hold_the_rounds(one, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # replaced, not added to
        events = write_events({"run": Run(one)}, tmp_path)
    found = EventAccumulator(str(events / "run"))
    found.Reload()
    accuracy = [(e.step, e.value) for e in found.Scalars("round/test_accuracy")]
    assert accuracy == [(2, 0.5), (3, 0.75), (4, 0.625)]
    assert len(found.Scalars("crossover/worker 0")) == 3


def test_events_have_what_the_server_measured_and_no_file_of_a_run_without_rounds(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rounds = [line(2, server_metrics={"f1": 0.5, "by_class": [1, 0]})]
    runs = {"measured": rounds, "begun": []}
    runs = {name: Run(run_folder(tmp_path / name, rounds=of)) for name, of in runs.items()}
    events = write_events(runs, tmp_path)
    found = EventAccumulator(str(events / "measured"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("server/f1")] == [(2, 0.5)]
    assert [file.parent.name for file in events.rglob("events.out*")] == ["measured"]


def test_event_files_of_a_sweep_are_called_by_its_keys(one, sweep):
    names = list(named_runs(find([one, sweep])))
    assert len(names) == 9 and names[:2] == ["run", "two,strategy=krum,attack=lie,seed=0"]


def test_runs_and_sweeps_of_one_name_keep_their_events(tmp_path):
    for seed in range(3):
        run_folder(tmp_path / f"seed{seed}" / "exp" / "run")
    for place in "ab":
        sweep_folder(tmp_path / place / "rules", n_seeds=1)
    names = list(named_runs(find([tmp_path])))
    assert names[:3] == ["seed0/exp/run", "seed1/exp/run", "seed2/exp/run"]
    assert len(names) == 3 + 2 * 4 and names[3].startswith("a/rules,strategy=krum")


def local(path, *more):
    keys = "num-rounds=1 device='cpu' task='quadratic'"
    command = ["run", "--engine", "local", "-c", keys, "--out", str(path), *more]
    return CliRunner().invoke(app, command)


def test_a_run_writes_its_report_and_says_where(tmp_path):
    done = local(tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert f"report {tmp_path / 'run' / 'report.html'}\n" in done.output
    assert (tmp_path / "run" / "report" / "overview.png").exists()


def test_no_report_where_none_is_wanted_or_a_package_is_missing(tmp_path, monkeypatch):
    assert "report.html" not in local(tmp_path / "quiet", "--no-report").output
    assert not (tmp_path / "quiet" / "report.html").exists()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    bare = local(tmp_path / "bare")
    assert (
        bare.exit_code == 0 and "no report: a picture needs the package matplotlib" in bare.output
    )
    assert "pip install 'signfed[report]'" in bare.output


def test_a_full_disk_does_not_fail_a_run_that_is_done(tmp_path, monkeypatch):
    def full(file, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("signfed.app.report.writing.replace_text", full)
    done = local(tmp_path / "run")
    assert done.exit_code == 0 and "No space left on device" in done.output


@pytest.mark.parametrize(
    "given, said",
    [
        ({"received": 2, "dropped": {"no-reply": [0]}}, "rejected: 2"),
        ({"received": 3, "crossover": {"0": 0.8, "1": 0.4, "2": None}}, "rejected: 0, 2"),
        ({"received": 1, "nodes": 1}, "rejected: nobody"),  # the round asked worker 1 alone
    ],
)
def test_the_closing_table_rejects_nobody_who_sent_no_row(given, said, tmp_path):
    path = run_folder(tmp_path / "run", rounds=[line(1, accepted=[1], **given)])
    console = Console(width=100, record=True, file=io.StringIO())
    print_closing(console, path, (0,))
    assert said in console.export_text().splitlines()
