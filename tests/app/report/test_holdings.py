"""`signfed data`: the table and the picture of who holds what."""

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.report.holdings import draw_holdings, print_holdings
from signfed.app.task import TASKS
from signfed.app.task.partitions import holdings

HELD = np.array([[3, 0, 1], [0, 12, 0]])


def printed(held, batches):
    console = Console(file=io.StringIO(), width=80)
    print_holdings(held, batches, console)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_a_row_a_worker_with_each_count_where_classes_are_few():
    lines = printed(HELD, [4, 8])
    assert ["worker", "samples", "batch", "0", "1", "2"] in lines
    assert ["0", "4", "4", "3", "·", "1"] in lines and ["1", "12", "8", "·", "12", "·"] in lines
    assert " ".join(lines[-1]) == "2 workers, 4 to 12 samples each, 1 to 2 of 3 classes"


def test_counts_are_never_cut_off():
    """Ten classes of four digits and more do not fit 80 columns."""
    held = np.full((2, 10), 12_345)
    lines = printed(held, [4, 8])
    assert ["0", "123450", "4", "10", "0", "(10%)"] in lines and "…" not in str(lines)
    assert ["1", "50", "8", *["5"] * 10] in printed(np.full((2, 10), 5), [4, 8])


def test_where_classes_are_many_the_largest_is_named():
    held = np.zeros((2, 100), int)
    held[0, [7, 50]], held[1, 99] = (3, 1), 5
    lines = printed(held, [1, 1])
    assert ["0", "4", "1", "2", "7", "(75%)"] in lines
    assert ["1", "5", "1", "1", "99", "(100%)"] in lines


@pytest.mark.parametrize("workers, classes", [(2, 3), (50, 10), (200, 100), (1, 1)])
def test_a_picture_of_any_size_is_drawn(workers, classes, tmp_path):
    held = np.random.default_rng(0).integers(0, 50, (workers, classes))
    draw_holdings(held, "title", tmp_path / "a.png")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert picture.std() > 10 and max(picture.shape) < 1600


def command(*arguments):
    return CliRunner().invoke(app, ["data", *arguments])


@pytest.mark.parametrize("partition", ["stratified", "labels"])
def test_the_command_shows_the_shards_of_the_run(partition, tmp_path):
    done = command("-c", f"partition='{partition}' batch-size=5", "--out", str(tmp_path / "a.png"))
    assert done.exit_code == 0 and Image.open(tmp_path / "a.png").size[0] > 500
    from signfed.app.config.run_config import parse

    problem = TASKS["digits"].problem(parse({"partition": partition}).workload)
    held = holdings(problem.shards, problem.labels, 10)
    lines = [line.split() for line in done.output.splitlines()]
    for worker, row in enumerate(held):
        counts = [str(n or "·") for n in row]
        assert [str(worker), str(row.sum()), "5", *counts] in lines


def test_the_command_says_what_the_server_keeps(tmp_path):
    out = ("--out", str(tmp_path / "a.png"))
    done = command("-c", "server-samples=37 batch-size=5", *out)
    assert "15 workers, 93 to 93 samples each" in done.output
    assert "the server keeps 37 more samples for itself" in done.output
    assert "the server" not in command("-c", "batch-size=5", *out).output


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("-c", "task='quadratic'"), "has no samples"),
        (("-c", "partition='labels' labels.held=11"), "held: expected 1 to 10"),
        (("-c", "task='mnist' data-dir='/nowhere'"), "expected MNIST in /nowhere/MNIST/raw"),
        (("--out", "/nowhere/a.png"), "--out: expected a file in a folder that exists"),
    ],
)
def test_what_cannot_be_is_exit_code_2(arguments, text):
    done = command(*arguments)
    assert done.exit_code == 2 and text in done.output.replace("\n", " ")
