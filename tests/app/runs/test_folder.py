import json
from hashlib import sha256
from struct import pack

import numpy as np
import pytest

from signfed.app.runs.folder import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    RoundsReader,
    RunFolder,
    read_rounds,
    read_summary,
    set_status,
)
from signfed.app.runs.summary import bits_per_parameter, score
from signfed.strategies.server.optimizer import model_sha256


def record(server_round, *, up=0, received=1, dropped=None, down=0, nodes=1, **more):
    return {
        "round": server_round, "uplink_bytes": up, "received": received, "dropped": dropped or {},
        "downlink_bytes": down, "nodes": nodes, **more,
    }  # fmt: skip


FIRST = record(1, up=1000, received=3, dropped={"error": [3]}, down=800, nodes=2)
SECOND = record(2, up=60, received=4, down=50, nodes=2)
THIRD = record(3, up=40, received=2, dropped={"error": [3], "no-reply": [1]}, down=30, nodes=2)


@pytest.mark.parametrize(
    "records, up, down",
    [
        # alone, the first counts: 8 * 1000 / 4 workers / 100; 8 * 800 / 2 messages / 100
        ([FIRST], 20.0, 32.0),
        # later it does not: 8 * 60 / 4 / 100; 8 * 50 / 2 / 100
        ([FIRST, SECOND], 1.2, 2.0),
        # 8 * (60 + 40) / (4 + 4) / 100; 8 * (50 + 30) / (2 + 2) / 100
        ([FIRST, SECOND, THIRD], 1.0, 1.6),
    ],
)
def test_traffic_by_hand(records, up, down):
    assert bits_per_parameter([], n_parameters=100) == {}
    nobody = record(2, received=0, dropped={"no-node": [0, 1]}, nodes=0)  # all nodes have gone
    assert bits_per_parameter([FIRST, nobody], n_parameters=100) == {}
    assert bits_per_parameter(records, n_parameters=100) == {
        "uplink_bits_per_parameter": up,
        "downlink_bits_per_parameter": down,
    }


def files(path):
    return sorted(file.name for file in path.iterdir())


def test_the_folder_is_complete_at_every_moment(tmp_path):
    path = tmp_path / "new" / "run"
    config = {"config": {"lr": 0.5}, "byzantine_ids": [1]}
    folder = RunFolder(path, config, n_parameters=100)
    always = ["config.json", "rounds.jsonl", "summary.json"]
    assert files(path) == always
    assert json.loads((path / "config.json").read_text()) == config
    assert read_rounds(path) == []
    summary = read_summary(path)
    assert summary.pop("seconds") >= 0
    assert summary == {"status": RUNNING, "rounds": 0, "parameters": 100}

    lines = [FIRST, SECOND | {"test_accuracy": 0.75}, THIRD | {"test_accuracy": 0.5}]
    for number, line in enumerate(lines, 1):
        folder.write_round(line)
        assert read_rounds(path) == lines[:number]  # on disk at once, for who follows the run
        assert files(path) == always
    assert read_summary(path)["status"] == RUNNING

    folder.close(FINISHED, model_sha256="abc")
    summary = read_summary(path)
    assert summary.pop("seconds") >= 0
    assert summary == {
        "status": FINISHED,
        "rounds": 3,
        "final_test_accuracy": 0.5,
        "best_test_accuracy": 0.75,
        "parameters": 100,
        "uplink_bits_per_parameter": 1.0,
        "downlink_bits_per_parameter": 1.6,
        "model_sha256": "abc",
    }
    assert files(path) == always


def test_the_first_word_on_the_end_counts(tmp_path):
    folder = RunFolder(tmp_path, {}, 1)
    folder.close(FAILED, error="ValueError: no")
    folder.close(INTERRUPTED)
    summary = read_summary(tmp_path)
    assert (summary["status"], summary["error"]) == (FAILED, "ValueError: no")


def test_an_accuracy_of_zero_is_one(tmp_path):
    folder = RunFolder(tmp_path, {}, 1)
    folder.write_round(record(1, test_accuracy=0.0))
    folder.close(FINISHED)
    assert read_summary(tmp_path)["final_test_accuracy"] == 0.0


def test_the_status_of_a_dead_writer_can_be_set(tmp_path):
    RunFolder(tmp_path, {}, 100).write_round(FIRST)
    set_status(tmp_path, INTERRUPTED)
    summary = read_summary(tmp_path)
    assert (summary["status"], summary["parameters"]) == (INTERRUPTED, 100)
    assert "error" not in summary
    set_status(tmp_path, FAILED, "gone")
    assert read_summary(tmp_path) == summary | {"status": FAILED, "error": "gone"}


def test_the_status_of_a_run_that_never_started_can_be_set(tmp_path):
    path = tmp_path / "never"
    assert read_summary(path) == {} and read_rounds(path) == []
    set_status(path, FAILED, "no Flower")
    assert read_summary(path) == {"status": FAILED, "error": "no Flower"}


def test_a_half_written_line_is_left_out_until_it_is_whole(tmp_path):
    file, reader = tmp_path / "rounds.jsonl", RoundsReader(tmp_path)
    assert reader.new() == []
    text = "".join(json.dumps(record(server_round)) + "\n" for server_round in (1, 2, 3))
    seen, cut = [], len(text) - 10
    for end in (10, cut, len(text) - 1):  # in the first line, in the last, before its end
        file.write_text(text[:end])
        seen += reader.new()
        assert [line["round"] for line in seen] == ([] if end == 10 else [1, 2])
        assert read_rounds(tmp_path) == seen
    file.write_text(text)
    assert [line["round"] for line in reader.new()] == [3]
    assert reader.new() == []
    assert len(read_rounds(tmp_path)) == 3


def test_the_hash_is_of_little_endian_float32_values():
    values = [1.0, -2.0, 0.5]
    expected = sha256(pack("<3f", *values)).hexdigest()
    plain = np.array(values, np.float32)
    for array in (plain, plain.astype(">f4"), plain.astype(np.float64), np.repeat(plain, 2)[::2]):
        assert model_sha256(array) == expected
    assert model_sha256(plain[::-1]) != expected


def test_what_is_not_finite_is_null_and_says_diverged(tmp_path):
    def strict(text):
        return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))

    folder = RunFolder(tmp_path, {"note": float("inf")}, 1)
    folder.write_round(record(1, test_loss=0.5, test_accuracy=0.75))
    folder.write_round(record(2, test_loss=float("nan"), findings={"p": [float("-inf")]}))
    folder.write_round(record(3, test_loss=float("inf")))
    folder.close(FINISHED)
    lines = [strict(line) for line in (tmp_path / "rounds.jsonl").read_text().splitlines()]
    assert [line["test_loss"] for line in lines] == [0.5, None, None]
    assert lines[1]["findings"] == {"p": [None]} and "not finite" in score(lines[1])
    lone = {"test_accuracy": 0.5, "minority_accuracy": None, "others_accuracy": 0.5}
    assert score(lone) == "test accuracy 0.5000, others accuracy 0.5000"
    assert strict((tmp_path / "config.json").read_text()) == {"note": None}
    summary = strict((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["diverged_round"]) == (DIVERGED, 2)
    assert summary["final_test_loss"] is None and summary["final_test_accuracy"] == 0.75


def test_a_loss_that_is_finite_again_has_not_diverged(tmp_path):
    folder = RunFolder(tmp_path, {}, 1)
    folder.write_round(record(1, test_loss=float("nan")))
    folder.write_round(record(2, test_loss=0.5))
    folder.close(FINISHED)
    assert read_summary(tmp_path)["status"] == FINISHED
    assert "diverged_round" not in read_summary(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1", "[1, 2]"])
def test_a_summary_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    assert read_summary(tmp_path) == {}


def test_drafts_of_a_writer_that_was_killed_are_removed(tmp_path):
    RunFolder(tmp_path, {}, 1).close(INTERRUPTED)
    (tmp_path / "summary.json.4711.tmp").write_text("half")
    RunFolder(tmp_path, {}, 1, done=0)
    assert files(tmp_path) == ["config.json", "rounds.jsonl", "summary.json"]
