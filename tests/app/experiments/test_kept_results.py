"""The pages in docs/results: what the judges of today say of the rows that are kept there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.errors import ConfigError
from signfed.app.experiments.again import claims_again, judge_again, kept_rows
from signfed.app.experiments.beside import write_tables
from signfed.app.experiments.pages import page_of, summary_of
from signfed.app.experiments.records import means_of, varying
from signfed.app.experiments.registry import EXPERIMENTS
from signfed.app.experiments.reproduce import with_task
from signfed.app.report.published import FAILS

RESULTS = Path(__file__).parents[3] / "docs/results"
KEPT = {
    file.parent.name: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(RESULTS.glob("*/verdicts.json"))
}
SETTINGS = [(name, setting) for name, found in KEPT.items() for setting in found]


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_says_what_todays_judges_say(name, setting):
    """But for claims of rounds, which are not kept, and files of means."""
    item, record = EXPERIMENTS[name], KEPT[name][setting]
    assert record["dirty"] is False  # its commit is what ran
    assert [c["text"] for c in record["claims"]] == [claim.text for claim in item.claims]
    claims, left = claims_again(item, record, kept_rows(RESULTS / name / f"{setting}.csv"))
    assert claims == record["claims"]
    of_rounds = sum(claim.of_rounds for claim in item.claims)
    whole = [f"{of_rounds} of {len(claims)} claims: rows of rounds are not kept"] * bool(of_rounds)
    means = [f"{len(claims)} of {len(claims)} claims: only means are kept"]
    assert left == (means if name == "matrix" else whole)


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_the_rows_are_of_the_cells_that_the_item_has_today(name, setting):
    """Where a second stage or means decide on the rows, the configuration of all is."""
    asked, record = EXPERIMENTS[name].settings[setting], KEPT[name][setting]
    config = {key: value for key, value in asked.sweep.config.items() if key != "data-dir"}
    given = ("device", "precision")
    assert {k: v for k, v in record["config"].items() if k not in given or k in config} == config
    rows = kept_rows(RESULTS / name / f"{setting}.csv")
    if asked.then is None and len(rows) == record["runs"]:
        points = list(asked.sweep.points())
        assert [{k: row.get(k) for k in p} for p, row in zip(points, rows, strict=True)] == points


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_has_the_published_tables_of_todays_rows(name, setting, tmp_path):
    """Those of rounds, which are not kept, stay; each has its file."""
    item, record = EXPERIMENTS[name], KEPT[name][setting]
    rows, before = kept_rows(RESULTS / name / f"{setting}.csv"), record.get("tables", [])
    whole = with_task(rows, record["config"]) if len(rows) == record["runs"] else None
    found = write_tables(item, setting, tmp_path, rows=whole, before=before)
    assert found.get("tables", []) == before
    for file in tmp_path.iterdir():
        assert file.read_text() == (RESULTS / name / file.name).read_text(), file.name
    assert all((RESULTS / name / f"{table['name']}.csv").exists() for table in before)


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_has_the_means_of_the_rows_beside_it(name, setting):
    """Where there are few enough of them for a page, and runs are kept."""
    record = KEPT[name][setting]
    rows = kept_rows(RESULTS / name / f"{setting}.csv")
    if record["cells"] and len(rows) == record["runs"]:
        assert record["cells"] == means_of(rows, varying(record["cases"], record["grid"]))


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_says_what_the_item_says_today(name, setting):
    item, record = EXPERIMENTS[name], KEPT[name][setting]
    assert record["title"] == item.title
    assert record["note"] == item.settings[setting].note
    assert record["remark"] == item.remarks.get(setting, "")
    assert record["choices"] == list(item.choices_of(setting))


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_a_page_says_why_something_fails(name, setting):
    record = KEPT[name][setting]
    assert record["remark"] or FAILS not in [claim["verdict"] for claim in record["claims"]]


def test_the_pages_are_made_of_what_is_kept():
    for name, found in KEPT.items():
        assert (RESULTS / name / "README.md").read_text(encoding="utf-8") == page_of(found), name
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == summary_of(KEPT)


def test_kept_rows_are_judged_again_as_the_claims_have_it_today(tmp_path):
    """A verdict, a remark and a title of another day are those of today; so are the pages."""
    place = tmp_path / "fd-fig4b"
    shutil.copytree(RESULTS / place.name, place)
    for name in ("README.md", "quick-2.png"):
        (place / name).unlink()
    found = json.loads((place / "verdicts.json").read_text(encoding="utf-8"))
    record = found["quick"]
    record |= {"title": "of old", "remark": "of old"}
    record["cells"][0]["best_test_accuracy"] = "of old"
    record["claims"] = [{**record["claims"][0], "verdict": FAILS, "ours": "of old"}]
    (place / "verdicts.json").write_text(json.dumps(found), encoding="utf-8")
    assert judge_again(tmp_path) == []
    now = json.loads((place / "verdicts.json").read_text(encoding="utf-8"))
    assert now["quick"] == KEPT[place.name]["quick"]
    assert (place / "quick-2.png").stat().st_size > 1000


def test_the_command_judges_again_and_writes_the_pages(tmp_path):
    for name in ("fd-fig4b", "mine"):
        shutil.copytree(RESULTS / "fd-fig4b", tmp_path / name)
    file = tmp_path / "fd-fig4b" / "verdicts.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    found["quick"]["remark"] = "of old"
    file.write_text(json.dumps(found), encoding="utf-8")
    done = CliRunner().invoke(app, ["reproduce", "--judge", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "not judged again: mine: no experiment of that name" in done.output
    assert f"summary: {tmp_path / 'README.md'}" in done.output
    assert json.loads(file.read_text(encoding="utf-8")) == KEPT["fd-fig4b"]
    page = (tmp_path / "fd-fig4b" / "README.md").read_text(encoding="utf-8")
    assert page == page_of(KEPT["fd-fig4b"])


def test_published_tables_are_written_again_from_kept_rows(tmp_path):
    place = tmp_path / "signguard-table1"
    shutil.copytree(RESULTS / place.name, place)
    found = json.loads((place / "verdicts.json").read_text(encoding="utf-8"))
    (table,) = found["mnist-480"].pop("tables")
    (place / "mnist-480-1.csv").unlink()
    (place / "verdicts.json").write_text(json.dumps(found), encoding="utf-8")
    judge_again(tmp_path)
    now = json.loads((place / "verdicts.json").read_text(encoding="utf-8"))
    assert now["mnist-480"]["tables"] == [table]
    assert len((place / "mnist-480-1.csv").read_text(encoding="utf-8").splitlines()) == 82
    page = page_of(now)
    assert (
        "| Bulyan | 99.0 (99.1) -0.1 ✓ |" in page and "[mnist-480-1.csv](mnist-480-1.csv)" in page
    )
    assert "Tried: 81 of 90 published cells; not tried: 9." in page


def test_what_cannot_be_judged_again_is_said_and_stays(tmp_path):
    for name in ("fd-fig4b", "mine"):
        shutil.copytree(RESULTS / "fd-fig4b", tmp_path / name)
    rows = tmp_path / "fd-fig4b" / "quick.csv"
    rows.write_text("\n".join(rows.read_text().splitlines()[:3]) + "\n")
    left = judge_again(tmp_path)
    assert left == [
        "fd-fig4b (quick): 2 of 2 claims: only means are kept",
        "mine: no experiment of that name",
    ]
    now = json.loads((tmp_path / "fd-fig4b" / "verdicts.json").read_text(encoding="utf-8"))
    assert now == KEPT["fd-fig4b"]


def test_what_is_text_stays_text(tmp_path):
    """An attack is called `inf`, and ids are written as text."""
    lines = "attack,byzantine-ids,lr,seed,status,lie.z\ninf,3,0.5,1,failed,\n"
    (tmp_path / "x.csv").write_text(lines)
    (row,) = kept_rows(tmp_path / "x.csv")
    assert row == {
        "attack": "inf", "byzantine-ids": "3", "lr": 0.5, "seed": 1, "status": "failed",
    }  # fmt: skip


def test_a_folder_without_pages_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected NAME/verdicts\.json"):
        judge_again(tmp_path)
