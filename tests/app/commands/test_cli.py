"""The command line: what can be found wrong is found before anything starts, with exit code 2."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.engines import launch as engines
from signfed.app.engines import superlink as flower
from signfed.app.runs.folder import read_summary

CASES = [
    ("foo=1", "unknown key 'foo'; expected one of task, model"),
    ("strategy='x'", "expected one of mean, sign-mv, sign-fd"),
    ("attack='x'", "expected one of none, sign-inversion"),
    ("task='x'", "expected one of digits, mnist"),
    ("strategy='no_such_module:Rule'", "No module named 'no_such_module'"),
    ("strategy='json:loads'", "expected a subclass of strategies.RobustStrategy"),
    ("lr='fast'", "lr: expected a value of type float"),
    ("num-rounds=1.5", "num-rounds: expected a value of type int"),
    ("num-byzantine=16", "expected at most num-workers = 15; got 16"),
    (
        "attack='stochastic-sign-flip' stochastic-sign-flip.probability=1.5",
        "between 0 and 1, got 1.5",
    ),
    ("stochastic-sign-flip.probability=0.3", "belongs to attack='stochastic-sign-flip'"),
    ("num-rounds=0", "at least 1; got 0"),
    ("sign-fd.initial-rounds=0", "sign-fd.initial-rounds: expected at least 1 round, got 0"),
    ("batch-size=96", "holds 95 samples of digits"),
    ("task='mnist'", "train-images-idx3-ubyte.gz"),
    ("num-rounds 5", "expected key=value pairs"),
    ("task=digits", "'quotes'"),
    ("missing.toml", "missing.toml"),
]


@pytest.fixture
def signfed(monkeypatch, tmp_path):
    """The command in an empty folder, on a machine where Flower must not be touched."""

    def forbidden(self):
        raise AssertionError("Flower was started")

    monkeypatch.setattr(flower.LocalFlower, "__enter__", forbidden)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.parametrize("config, said", CASES)
def test_a_wrong_config_is_one_sentence_and_exit_code_2(signfed, tmp_path, config, said):
    result = signfed("run", "-c", config)
    assert result.exit_code == 2
    assert said in result.output and result.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--supernodes", "0"], "expected 1 to num-workers = 15; got 0"),
        (["--supernodes", "16"], "expected 1 to num-workers = 15; got 16"),
        (["--out", "a", "-c", "out-dir='b'"], "expected either --out or -c out-dir"),
    ],
)
def test_a_wrong_option_is_exit_code_2(signfed, arguments, said):
    result = signfed("run", *arguments)
    assert result.exit_code == 2 and said in result.output


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--gpus-per-client", "0.25"], "--gpus-per-client 0.25: expected a GPU"),
        (["-c", "device='cuda'"], "device='cuda': expected a GPU"),
        (["-c", "precision='tf32'"], "precision='tf32': expected a GPU"),
    ],
)
def test_a_gpu_that_is_not_there_is_exit_code_2(signfed, monkeypatch, arguments, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = signfed("run", *arguments)
    assert result.exit_code == 2 and said in result.output


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-c", "device='cuda'"], "expected --gpus-per-client above 0"),
        (["-c", "device='cpu'", "--gpus-per-client", "0.5"], "expected no --gpus-per-client"),
    ],
)
def test_device_and_gpu_share_must_agree(signfed, monkeypatch, arguments, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    result = signfed("run", *arguments)
    assert result.exit_code == 2 and said in result.output


def test_the_gpu_share_reaches_flower(signfed, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    asked = []
    monkeypatch.setattr(
        engines, "on_flower", lambda values, federation, *_: asked.append(federation) or "finished"
    )
    assert signfed("run", "--gpus-per-client", "0.25", "--supernodes", "4").exit_code == 0
    assert asked == ["num-supernodes=4 client-resources-num-cpus=1 client-resources-num-gpus=0.25"]


def test_a_folder_with_files_is_never_written_to(signfed, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_text("{}")
    result = signfed("run", "--out", "run")
    assert result.exit_code == 2 and "expected a new or empty folder" in result.output
    assert (tmp_path / "run" / "summary.json").read_text() == "{}"


def test_list_names_everything_that_can_be_chosen(signfed):
    from signfed.app.config.keys import KEYS
    from signfed.app.task import MODELS, PARTITIONS, TASKS
    from signfed.attacks import ATTACKS
    from signfed.clients import ENCODERS
    from signfed.strategies.registry import STRATEGIES

    result = signfed("list")
    assert result.exit_code == 0
    for name in [*STRATEGIES, *ATTACKS, *TASKS, *MODELS, *PARTITIONS, *ENCODERS, *KEYS]:
        assert name in result.output


def test_a_fleet_run_from_the_command_line(signfed, tmp_path):
    result = signfed("run", "--engine", "local", "--out", "run", "-c", "num-rounds=3")
    assert result.exit_code == 0 and "found lying: " in result.output
    summary = read_summary(tmp_path / "run")
    assert (summary["status"], summary["rounds"]) == ("finished", 3)


FAILS_IN_ROUND_2 = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.round == 2:
            raise {error}
        return updates.dense()[0]
"""


@pytest.mark.parametrize(
    "error, code, status", [("ValueError('no!')", 1, "failed"), ("KeyboardInterrupt", 130, "inter")]
)
def test_a_fleet_run_that_ends_early_keeps_its_rounds(
    signfed, tmp_path, monkeypatch, error, code, status
):
    monkeypatch.syspath_prepend(tmp_path)
    module = f"fails_with_{code}"
    (tmp_path / f"{module}.py").write_text(FAILS_IN_ROUND_2.format(error=error))
    config = f"num-rounds=5 strategy='{module}:Fails'"
    result = signfed("run", "--engine", "local", "--out", "run", "-c", config)
    assert result.exit_code == code
    summary = read_summary(tmp_path / "run")
    assert summary["status"].startswith(status) and summary["rounds"] == 1
    if code == 1:
        assert "ValueError: no!" in result.output and summary["error"] == "ValueError: no!"
        assert "aggregate" in (tmp_path / "run" / "traceback.txt").read_text()


def test_a_run_goes_on_and_can_be_made_longer(signfed, tmp_path):
    def run(*arguments):
        return signfed("run", "--engine", "local", *arguments)

    config = "num-rounds=4 checkpoint-every=3 sign-fd.initial-rounds=2"
    assert run("-c", config, "--out", "a").exit_code == 0
    assert run("-c", config.replace("=4", "=9"), "--out", "whole").exit_code == 0
    result = run("--resume", "a")
    assert result.exit_code == 2 and "round 4 of 4 is done, nothing is left" in result.output
    result = run("--resume", "a", "-c", "lr=0.5")
    assert result.exit_code == 2 and "of another run: lr=0.001, not 0.5" in result.output
    assert read_summary(tmp_path / "a")["status"] == "finished"  # nothing was touched
    assert run("--resume", "a/checkpoints/round-000003", "-c", "num-rounds=9").exit_code == 0
    here, whole = (read_summary(tmp_path / name) for name in ("a", "whole"))
    assert here["rounds"] == 9 and here["model_sha256"] == whole["model_sha256"]
    result = run("--resume", "nowhere")
    assert result.exit_code == 2 and "cannot read" in result.output
