"""Data of each worker's own: what a folder may hold, and a run on it, rehearsed and on devices."""

from __future__ import annotations

import csv
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from signfed.app.cli import app as cli
from signfed.app.client_app import app as client_app
from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.report.one_run import report_of
from signfed.app.report.reading import Run
from signfed.app.server_app import run
from signfed.app.task import DataMissing, find_task
from signfed.app.task.datasets.own_files import read
from signfed.app.task.datasets.schema import Schema
from tests.federation import config_for, federate, in_local, locally, outcome
from tests.grid import InProcessGrid
from tests.own_folders import SCHEMA, write_federation, write_images

GREY = Schema(shape="1x6x5", classes="cat,dog")
TABLE = Schema("table", "2", "no,yes", "ill")
ARRAYS = Schema("arrays", "2x3", "3")
KEYS = {
    **SCHEMA,
    "num_workers": 3, "num_byzantine": 1, "attack": "sign-inversion", "strategy": "sign-mv",
    "batch_size": 8, "num_rounds": 25, "lr": 0.003,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_federation(tmp_path_factory.mktemp("data"))


def test_images_are_bytes_in_the_order_of_their_names(tmp_path):
    write_images(tmp_path, 2)
    (tmp_path / "notes.txt").write_text("not looked at")
    x, y = read(tmp_path, GREY)
    assert x.shape == (4, 1, 6, 5) and x.dtype == np.uint8 and y.tolist() == [0, 0, 1, 1]
    assert np.array_equal(x[3, 0], np.asarray(Image.open(tmp_path / "dog" / "001.png")))
    colour, _ = read(tmp_path, Schema(shape="3x6x5", classes="cat,dog"))
    assert np.array_equal(colour[:, 1], x[:, 0])


def write_csv(folder, header, *rows):
    with (folder / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_a_table_has_its_features_in_alphabetical_order(tmp_path):
    write_csv(tmp_path, ["weight", "ill", "age"], [70.5, "yes", 30], [60, "no", 40])
    x, y = read(tmp_path, TABLE)
    assert x.tolist() == [[30.0, 70.5], [40.0, 60.0]] and y.tolist() == [1, 0]
    assert x.dtype == np.float32


def test_parquet_is_the_same_table(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    held = {"weight": [70.5, 60.0], "ill": ["yes", "no"], "age": [30, 40]}
    parquet.write_table(pa.table(held), tmp_path / "data.parquet")
    x, y = read(tmp_path, TABLE)
    assert x.tolist() == [[30.0, 70.5], [40.0, 60.0]] and y.tolist() == [1, 0]


def test_parquet_without_pyarrow_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        read(tmp_path, TABLE)


def test_arrays_may_be_flat(tmp_path):
    x, y = np.arange(12.0).reshape(2, 6), np.array([2, 0], np.int8)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    found, labels = read(tmp_path, ARRAYS)
    assert np.array_equal(found, x.reshape(2, 2, 3)) and labels.tolist() == [2, 0]


def wrong_size(folder):
    write_images(folder, 1, size=(6, 6))


def wrong_class(folder):
    write_images(folder, 1)
    (folder / "dog").rename(folder / "wolf")


def no_image(folder):
    write_images(folder, 1)
    (folder / "cat" / "000.png").write_text("no image")


def pickled(folder):
    np.savez(folder / "data.npz", x=np.array([{}], object), y=np.array([0]))


def arrays(**held):
    return lambda folder: np.savez(folder / "data.npz", **held)


def table(*rows):
    return lambda folder: write_csv(folder, *rows)


def other_letters(folder):
    (folder / "data.csv").write_bytes("größe,b,ill\n1,2,no\n".encode("cp1252"))


def no_parquet(folder):
    (folder / "data.parquet").write_bytes(b"no table")


def cut(write, name, end):
    """What a copy that broke off leaves."""

    def broken(folder):
        write(folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:end])

    return broken


def packed(folder):
    np.savez_compressed(folder / "data.npz", x=np.random.default_rng(0).random((9, 6)), y=[0] * 9)


def damaged(folder):
    packed(folder)
    content = bytearray((folder / "data.npz").read_bytes())
    content[60:80] = bytes(20)
    (folder / "data.npz").write_bytes(content)


def one_array(folder):
    with (folder / "data.npz").open("wb") as file:
        np.save(file, np.zeros((2, 6)))


def no_arrays(folder):
    with zipfile.ZipFile(folder / "data.npz", "w") as file:
        file.writestr("x.npy", b"")
        file.writestr("y.npy", b"abc")


def no_chunk(folder):
    """A PNG whose second chunk is said to be shorter than it is: where it ends, none begins."""
    write_images(folder, 1)
    content = bytearray((folder / "cat" / "000.png").read_bytes())
    content[33:37] = bytes([0, 0, 0, 5])
    (folder / "cat" / "000.png").write_bytes(content)


def twice(folder):
    write_csv(folder, ["a", "b", "ill"], [1, 2, "no"])
    (folder / "more.csv").write_text("")


@pytest.mark.parametrize(
    "schema, write, said",
    [
        (GREY, wrong_size, r"cat.000.png: expected 5 x 6 pixels \(own-data.shape\); found 6 x 6"),
        (GREY, wrong_class, r"wolf: expected a class of the schema \(cat, dog\); got 'wolf'"),
        (GREY, no_image, r"000.png: expected an image; cannot identify"),
        (GREY, no_chunk, r"000.png: expected an image; broken PNG file"),
        (ARRAYS, cut(packed, "data.npz", 0), "data.npz: expected arrays x and y; No data left"),
        (ARRAYS, cut(packed, "data.npz", 300), "data.npz: expected arrays x and y; File is not a"),
        (ARRAYS, damaged, "data.npz: expected arrays x and y; "),
        (ARRAYS, no_arrays, r"expected x \[n, 2, 3\] and y \[n\]; found \[\] and \[\]"),
        (ARRAYS, one_array, "data.npz: expected arrays x and y; "),
        (TABLE, table(["a", "b"], [1, 2]), r"expected a column 'ill' \(own-data.label\); found a"),
        (TABLE, table(["a", "ill"], [1, "no"]), r"expected 2 columns besides 'ill' .* found 1: a"),
        (TABLE, table(["a", "b", "ill"], [1, "x", "no"]), "column 'b': expected numbers; "),
        (TABLE, table(["a", "b", "ill"], [1, 2, "?"]), "'ill': expected a class of the schema"),
        (TABLE, table(["a", "b", "ill"], [1, "no"]), "line 2: expected 3 values; found 2"),
        (TABLE, table(["a", "b", "ill"], [1, "inf", "no"]), "expected finite numbers; sample 0"),
        (TABLE, table(["a", "b", "ill"]), "expected a header and at least one line; found 1"),
        (TABLE, other_letters, "data.csv: expected a CSV file in UTF-8; 'utf-8' codec"),
        (TABLE, no_parquet, "data.parquet: expected a Parquet file; "),
        (TABLE, twice, "expected one file; found data.csv, more.csv"),
        (ARRAYS, pickled, "expected arrays x and y; Object arrays cannot be loaded"),
        (ARRAYS, arrays(x=np.ones((2, 6))), "expected arrays x and y; "),
        (ARRAYS, arrays(x=np.ones((2, 5)), y=np.zeros(2, int)), r"found \[2, 5\] and \[2\]"),
        (ARRAYS, arrays(x=np.ones((1, 6)), y=np.array([3])), "expected labels 0 to 2 .* 3 to 3"),
        (ARRAYS, arrays(x=np.ones((1, 6)), y=np.array([0.5])), "whole numbers; found float64"),
        (ARRAYS, arrays(x=np.full((1, 6), "a"), y=np.array([0])), "numbers in x; found <U"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(schema, write, said, tmp_path):
    write(tmp_path)
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, schema)


@pytest.mark.parametrize("schema", [GREY, TABLE, ARRAYS])
def test_nothing_there_is_said(schema, tmp_path):
    for folder in (tmp_path, tmp_path / "not-there"):
        with pytest.raises(DataMissing, match=f"data-dir: expected an? .* in .*/{folder.name}: "):
            read(folder, schema)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"shape": "28"}, "own-data.shape: expected channels"),
        ({"shape": "2x8x8"}, "own-data.shape: expected channels"),
        ({"shape": "1x0x8"}, "own-data.shape: expected a shape such as"),
        ({"kind": "table", "shape": "2x2"}, "own-data.shape: expected a table's features"),
        ({"classes": "1"}, "own-data.classes: expected at least two names"),
        ({"classes": "cat,cat"}, "own-data.classes: expected at least two names"),
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        Schema(**given)


class Devices(InProcessGrid):
    """Nodes with a data-dir each, as `--node-config` names it."""

    def __init__(self, place, config, nodes=3):
        super().__init__(client_app, nodes, config)
        for node, context in self._contexts.items():
            context.node_config["data-dir"] = str(place / str(node - 100))


def on_devices(place, path, server, **keys):
    config = config_for(path, {k.replace("_", "-"): v for k, v in keys.items()})
    config["data-dir"] = str(server)
    run(Devices(place, config), config)
    return outcome(path)


def test_a_rehearsal_has_the_bits_of_devices(place, tmp_path):
    keys = KEYS | {"data_dir": str(place)}
    here = locally(tmp_path / "local", **keys)
    assert here.rounds[-1]["test_accuracy"] > 0.9 and here.summary["status"] == "finished"
    assert federate(tmp_path / "simulated", nodes=2, **keys).sha256 == here.sha256
    devices = on_devices(place, tmp_path / "devices", place, **KEYS)
    assert devices.sha256 == here.sha256
    assert devices.rounds[-1]["test_accuracy"] == here.rounds[-1]["test_accuracy"]
    other = locally(tmp_path / "other", **(keys | {"batch_size": 7}))
    assert other.sha256 != here.sha256


def test_without_a_test_set_nodes_claim_an_accuracy_that_decides_nothing(place, tmp_path, caplog):
    caplog.set_level("INFO", "signfed")
    alone = tmp_path / "alone"
    for worker in "012":
        (alone / worker).parent.mkdir(exist_ok=True)
        (alone / worker).symlink_to(place / worker)
    (tmp_path / "empty").mkdir()
    with_test = on_devices(place, tmp_path / "a", place, **KEYS, evaluate_every=10)
    without = on_devices(place, tmp_path / "b", tmp_path / "empty", **KEYS, evaluate_every=10)
    assert without.sha256 == with_test.sha256 and without.summary["status"] == "finished"
    assert not any("test_accuracy" in r or "test_loss" in r for r in without.rounds)
    assert not any("claims" in r for r in with_test.rounds)

    said = {r["round"]: r["claims"] for r in without.rounds if "claims" in r}
    assert list(said) == [10, 20, 25]
    claimed = said[25]["evaluate"]["accuracy"]
    assert without.summary["final_claimed_accuracy"] == claimed > 0.9
    assert f"round 25/25: accuracy that nodes claim {claimed:.4f}, 3 updates" in caplog.text
    here = locally(tmp_path / "c", **KEYS, evaluate_every=10, data_dir=str(alone))
    assert {r["round"]: r["claims"] for r in here.rounds if "claims" in r} == said
    document = report_of(Run(tmp_path / "b"))
    assert dict(document.headline)["final accuracy that nodes claim"] == f"{100 * claimed:.1f} %"


def test_a_claim_is_of_the_model_that_the_round_began_with(place):
    problem = find_task("own-data").problem(
        parse({k.replace("_", "-"): v for k, v in KEYS.items()} | {"data-dir": str(place)}).workload
    )
    x, (dark, _) = problem.initial(), read(place / "0", GREY)
    said = problem.own_accuracy(x, 0)
    scores = problem._model(problem._data.to_input(torch.from_numpy(dark)))
    assert said == float((scores.argmax(1) == torch.arange(18) // 9).double().mean())
    assert problem.own_accuracy(torch.zeros_like(x), 1) == 0.5  # all scores alike: all are cats


def test_a_node_whose_data_do_not_fit_takes_no_part_and_says_why(place, tmp_path, caplog):
    for worker in "01":
        (tmp_path / worker).symlink_to(place / worker)
    write_images(tmp_path / "2", 3, size=(7, 7))
    done = on_devices(tmp_path, tmp_path / "run", place, **KEYS, node_timeout=0.2, quorum=0.5)
    assert [r["received"] for r in done.rounds] == [2] * 25
    assert "expected 5 x 6 pixels (own-data.shape); found 7 x 7" in caplog.text


def test_two_workers_of_one_node_would_train_on_the_same(place, tmp_path, caplog):
    config = config_for(tmp_path / "run", {k.replace("_", "-"): v for k, v in KEYS.items()})
    config |= {"data-dir": str(place), "node-timeout": 0.2}
    with pytest.raises(Exception, match="own-data: expected a node for each worker"):
        run(Devices(place, config, nodes=2), config)


def test_a_rehearsal_needs_every_folder(place, tmp_path):
    keys = {k.replace("_", "-"): v for k, v in KEYS.items()}
    with pytest.raises(DataMissing, match="a folder for each of 4 workers; missing: 3"):
        find_task("own-data").problem(
            parse(keys | {"data-dir": str(place), "num-workers": 4}).workload
        )
    with pytest.raises(DataMissing, match=r"a folder for each worker in .*, 0 to 2"):
        in_local(config_for(tmp_path / "run", keys | {"data-dir": str(tmp_path)}))
    with pytest.raises(ConfigError, match=r"fd-cnn.*cannot take"):
        find_task("own-data").problem(
            parse(keys | {"data-dir": str(place), "model": "fd-cnn"}).workload
        )
    with pytest.raises(ConfigError, match=r"own-data.kind: belongs to task='own-data'"):
        parse({"own-data.kind": "table"})


def test_the_command_line_looks_at_a_folder_as_a_device_would(place, tmp_path):
    schema = "own-data.shape='1x6x5' own-data.classes='cat,dog,wolf'"
    picture = tmp_path / "samples.png"
    command = ["data", "--dir", str(place / "0"), "-c", schema, "--out", str(picture)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert {"cat 9", "dog 9", "wolf 0", "none of: wolf"} <= set(lines)
    assert "18 samples, 18 of them a round" in lines
    assert "fewer than batch-size=64: every round takes all of them" in lines
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(cli, ["data", "--dir", str(place), "-c", schema])
    assert done.exit_code == 2 and "expected a folder of images for each class" in " ".join(
        done.output.split()
    )


def test_the_folder_of_a_federation_is_no_test_set(place, tmp_path):
    """`federation up` keeps its own files in a folder of the same name."""
    for worker in range(3):
        (tmp_path / str(worker)).symlink_to(place / str(worker))
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "federation.json").write_text("{}")
    config = config_for(tmp_path / "run", {key.replace("_", "-"): v for key, v in KEYS.items()})
    config |= {"data-dir": str(tmp_path)}
    with pytest.raises(ConfigError, match=r"it is a federation's own, with its federation\.json"):
        find_task("own-data").problem(parse(config).workload)
