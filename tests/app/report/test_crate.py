"""The RO-Crate of a run: files, parameters and software, and how they hang together."""

import json
import zipfile

import pytest
from rocrate.rocrate import ROCrate
from typer.testing import CliRunner

from signfed.app.cli import app
from tests.app.report.folders import run_folder, sweep_folder


def packed(folder, out, *more):
    result = CliRunner().invoke(app, ["export", str(folder), "--out", str(out), *more])
    assert result.exit_code == 0, result.output
    return ROCrate(str(out))


def values(entities):
    return {each["name"]: each["value"] for each in entities if each.type == "PropertyValue"}


def test_a_run(tmp_path):
    path = run_folder(tmp_path / "one")
    (path / "checkpoints" / "round-3").mkdir(parents=True)
    (path / "checkpoints" / "round-3" / "state.safetensors").write_bytes(b"large")
    crate = packed(path, tmp_path / "one.zip")
    descriptor = crate.metadata
    assert descriptor["conformsTo"] == "https://w3id.org/ro/crate/1.1"
    root = crate.root_dataset
    assert crate.name == "one" and root["description"] and root["datePublished"]
    assert "license" not in root, "nobody said under which the results are"
    run = root["mentions"]
    assert run["instrument"]["license"]["name"] == "Apache License 2.0"
    assert run.type == "CreateAction" and run["actionStatus"].endswith("/CompletedActionStatus")
    parameters, results = values(run["object"]), values(run["result"])
    assert parameters["lr"] == 0.25 and parameters["strategy"] == "sign-fd"
    assert "out-dir" not in parameters, "where a run lay is nobody's business"
    assert results["final_test_accuracy"] == 0.625
    assert run["instrument"]["softwareVersion"] == "1"
    files = {each.id for each in crate.data_entities}
    assert files == {"config.json", "rounds.jsonl", "summary.json"}
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert set(archive.namelist()) == files | {"ro-crate-metadata.json"}
        listed = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    ids = [entity["@id"] for entity in listed]
    assert len(ids) == len(set(ids))


def test_a_run_under_way_is_active_and_what_it_is_writing_is_left_out(tmp_path):
    path = run_folder(tmp_path / "one", summary={"status": "running", "rounds": 4})
    (path / "rounds.jsonl.tmp").write_text("half a li")
    crate = packed(path, tmp_path / "one.zip")
    run = crate.root_dataset["mentions"]
    assert run["actionStatus"] == "http://schema.org/ActiveActionStatus" and "endTime" not in run
    assert {each.id for each in crate.data_entities} == {
        "config.json", "rounds.jsonl", "summary.json",
    }  # fmt: skip


CC = "https://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize("said", [CC, "CC-BY-4.0"])
def test_the_licence_of_the_results_is_the_users(tmp_path, said):
    crate = packed(run_folder(tmp_path / "one"), tmp_path / "one.zip", "--licence", said)
    found = crate.root_dataset["license"]
    assert (found.id if said == CC else found) == said


def test_an_earlier_crate_is_not_packed(tmp_path):
    path = run_folder(tmp_path / "one")
    first, again = (packed(path, path / "one.zip") for _ in range(2))
    assert {each.id for each in first.data_entities} == {each.id for each in again.data_entities}


def test_a_sweep_has_an_action_a_cell_and_shares_what_is_equal(tmp_path):
    crate = packed(sweep_folder(tmp_path / "two"), tmp_path / "two.zip")
    actions = crate.root_dataset["mentions"]
    assert len(actions) == 7  # of 8 cells; one was never run
    failed = [a for a in actions if a["actionStatus"].endswith("/FailedActionStatus")]
    assert [a["error"] for a in failed] == ["OSError: <full>"]
    rules = {id(p) for a in actions for p in a["object"] if p["name"] == "lr"}
    assert len(rules) == 1
    own = [file.id for file in actions[0]["result"] if file.type == "File"]
    assert own and all(file.startswith("cells/krumlie0/") for file in own)


@pytest.mark.parametrize(
    "folder, out, said",
    [("one", "x.tar", "ends in .zip"), (".", "x.zip", "expected"), ("no", "x.zip", "expected a")],
)
def test_what_cannot_be_packed_is_said(tmp_path, folder, out, said):
    run_folder(tmp_path / "one")
    run_folder(tmp_path / "other")
    command = ["export", str(tmp_path / folder), "--out", str(tmp_path / out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and said in result.output and not (tmp_path / out).exists()
