"""The command line: what can be found wrong is found before anything starts, with exit code 2."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.engines import launch as engines
from signfed.app.flower import local_flower as flower
from signfed.app.report import making
from signfed.app.runs.folder import read_summary
from signfed.app.task import TASKS

CASES = [
    ("foo=1", "unknown key 'foo': no key is like it; `signfed list` shows all"),
    ("strategy='x'", "expected one of mean, sign-mv, sign-fd"),
    ("attack='x'", "expected one of none, sign-inversion"),
    ("task='x'", "expected one of digits, mnist"),
    ("strategy='no_such_module:Rule'", "No module named 'no_such_module'"),
    ("strategy='json:loads'", "expected a subclass of signfed.RobustStrategy"),
    ("lr='fast'", "lr: expected a finite number above 0; got 'fast'"),
    ("num-rounds=1.5", "num-rounds: expected a whole number of at least 1; got 1.5"),
    ("num-byzantine=16", "expected at most num-workers = 15; got 16"),
    (
        "attack='stochastic-sign-flip' stochastic-sign-flip.probability=1.5",
        "expected a number in [0, 1]; got 1.5",
    ),
    ("stochastic-sign-flip.probability=0.3", "belongs to attack='stochastic-sign-flip'"),
    ("num-rounds=0", "at least 1; got 0"),
    (
        "sign-fd.initial-rounds=0",
        "sign-fd.initial-rounds: expected a whole number of at least 1; got 0",
    ),
    ("batch-size=96", "holds 95 samples of digits"),
    ("task='mnist'", "train-images-idx3-ubyte.gz"),
    ("num-rounds 5", "expected key=value pairs"),
    ("task=digit", "task: expected one of"),
    ("num-rounds=five", "num-rounds: expected a whole number of at least 1; got 'five'"),
    ("resume=True", "resume: expected"),
    ("missing.toml", "missing.toml"),
    ("lr=0.1 lr=0.2", "expected lr once; got it twice, the second as 0.2"),
    ("num-byzantine=8", "sign-fd needs n >= 2f+1: got n=15 updates, f=8; expected f <= 7"),
    ("strategy-options='a=1'", "strategy-options: belongs to your own strategy"),
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
        (["--supernodes", "2", "-c", "num-workers=1 num-byzantine=0"], "1 to num-workers = 1; got"),
        (["--out", "a", "-c", "out-dir='b'"], "expected either --out or -c out-dir; got both"),
        (["--resume", ""], "--resume: expected a path; got an empty text"),
        (["--out", ""], "--out: expected a path; got an empty text"),
        (["--resume", "a", "-c", "resume='b'"], "expected either --resume or -c resume; got both"),
        (["-c", "lie.z=1.0", "-c", "lr=0.1 lie.z=2.0"], "-c: expected lie.z once; got it twice"),
        (["--cpus-per-client", "100000"], "--cpus-per-client: expected 1 to "),
        (["--cpus-per-client", "0"], "--cpus-per-client: expected 1 to "),
        (
            ["--engine", "local", "--supernodes", "2"],
            "--supernodes: expected none with",
        ),
        (["--engine", "local", "--cpus-per-client", "1"], "--cpus-per-client: expected none with"),
        (["--engine", "local", "--gpus-per-client", "0"], "--gpus-per-client: expected none with"),
        (["--engine", "local", "--ray-address", "auto"], "--ray-address: expected none with"),
        (["--gpus-per-client", "-1"], "--gpus-per-client -1.0: expected "),
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
        (["--gpus-per-client", "2"], "--gpus-per-client 2.0: expected 0 to 1, the GPUs of this"),
    ],
)
def test_device_and_gpu_share_must_agree(signfed, monkeypatch, arguments, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    result = signfed("run", *arguments)
    assert result.exit_code == 2 and said in result.output


def test_the_gpu_share_reaches_flower(signfed, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    free_and_total = 60 * 10**9, 80 * 10**9
    monkeypatch.setattr("signfed.app.engines.prepare.free_and_total", lambda: free_and_total)
    asked = []
    monkeypatch.setattr(
        engines, "on_flower", lambda values, federation, *_: asked.append(federation) or "finished"
    )
    arguments = ["--gpus-per-client", "0.25", "--supernodes", "4", "-c", "task='quadratic'"]
    assert signfed("run", *arguments).exit_code == 0
    assert asked == ["num-supernodes=4 client-resources-num-cpus=1 client-resources-num-gpus=0.25"]


def test_what_simulations_need_does_not_bind_the_local_engine(signfed, tmp_path):
    """One worker; `--supernodes` stands at 2, which nobody asked for."""
    config = "num-workers=1 num-byzantine=0 num-rounds=2"
    assert signfed("run", "--engine", "local", "--out", "run", "-c", config).exit_code == 0
    assert read_summary(tmp_path / "run")["rounds"] == 2


def test_a_relative_data_dir_is_named_where_it_was_looked_for(signfed, tmp_path):
    from signfed.app.config.run_config import parse

    for given in ("task='mnist'", "task='mnist' data-dir='here'"):
        result = signfed("run", "-c", given)
        assert f"expected MNIST in {tmp_path}" in result.output.replace("\n", "")
    with pytest.raises(ValueError, match=f"expected MNIST in {tmp_path}/here"):  # bare `flwr run`
        TASKS["mnist"].problem(parse({"task": "mnist", "data-dir": "here"}).workload)


def test_a_home_folder_is_a_path(signfed, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = ("run", "--engine", "local", "-c")
    given = "num-rounds=2 checkpoint-every=1 data-dir='~/data'"
    assert signfed(*run, given, "--out", '~/it\'s "odd" 🙂').exit_code == 0
    assert read_summary(tmp_path / 'it\'s "odd" 🙂')["rounds"] == 2
    assert signfed(*run, "num-rounds=3", "--resume", '~/it\'s "odd" 🙂').exit_code == 0
    assert read_summary(tmp_path / 'it\'s "odd" 🙂')["rounds"] == 3


@pytest.mark.parametrize(
    "encoding, arguments",
    [("ascii", ["list"]), ("ascii", ["--help"]), ("latin-1", ["run", "--help"]), ("utf-8", [])],
)
def test_a_terminal_that_shows_few_characters_is_no_error(encoding, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "signfed.app.cli", *(arguments or ["--help"])],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode(encoding)


def test_a_folder_with_files_is_never_written_to(signfed, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_text("{}")
    result = signfed("run", "--out", "run")
    assert result.exit_code == 2 and "expected a new or empty folder" in result.output
    assert (tmp_path / "run" / "summary.json").read_text() == "{}"


def test_list_names_everything_that_can_be_chosen(signfed):
    from signfed.app.config.keys import KEYS
    from signfed.app.task import MODELS, PARTITIONS
    from signfed.attacks import ATTACKS
    from signfed.clients import ENCODERS
    from signfed.strategies.registry import STRATEGIES

    result = signfed("list")
    assert result.exit_code == 0
    for name in [*STRATEGIES, *ATTACKS, *TASKS, *MODELS, *PARTITIONS, *ENCODERS, *KEYS]:
        assert name in result.output
    heads = [line.split()[1] for line in result.output.splitlines() if line.startswith("┃")]
    assert len(set(heads)) == len(heads), "each kind has one table"


@pytest.mark.parametrize(
    "command",
    [
        ("check", "mean"),
        ("redteam", "--strategies", "mean", "--attacks", "none", "-c", "num-rounds=1"),
        ("data",),
        ("data", "--dir", "."),
    ],
)
@pytest.mark.parametrize("place", ["nowhere/a.json", ".", "/dev/null"])
def test_a_file_that_cannot_be_written_is_said_before_the_work(signfed, command, place):
    result = signfed(*command, "--out", place)
    said = " ".join(result.output.split())
    assert result.exit_code == 2 and "--out: expected a file in a folder that exists" in said


def test_list_prints_the_keys_as_files_hold_them(signfed):
    from signfed.app.config.keys import as_markdown, as_toml

    assert signfed("list", "--toml").output == as_toml()
    assert signfed("list", "--markdown").output == as_markdown()


def test_a_local_run_from_the_command_line(signfed, tmp_path):
    result = signfed("run", "--engine", "local", "--out", "run", "-c", "num-rounds=3")
    assert result.exit_code == 0 and "rejected: " in result.output
    summary = read_summary(tmp_path / "run")
    assert (summary["status"], summary["rounds"]) == ("finished", 3)


FAILS_IN_ROUND_2 = """
from signfed import RobustStrategy

class Fails(RobustStrategy):
    def aggregate(self, updates):
        if updates.server_round == 2:
            raise {error}
        return updates.dense()[0]
"""


@pytest.mark.parametrize(
    "error, code, status", [("ValueError('no!')", 1, "failed"), ("KeyboardInterrupt", 130, "inter")]
)
def test_a_local_run_that_ends_early_keeps_its_rounds(
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
    assert (tmp_path / "run" / "report.html").exists() == (code == 1)
    if code == 1:
        where = f"ValueError: no! ({tmp_path / module}.py, line 7)"
        assert where in result.output and summary["error"] == where
        assert "aggregate" in (tmp_path / "run" / "traceback.txt").read_text()
        monkeypatch.setattr(
            sys.modules[module].Fails, "aggregate", lambda self, seen: seen.dense()[0]
        )
        assert signfed("run", "--engine", "local", "--resume", "run").exit_code == 0
        assert not (tmp_path / "run" / "traceback.txt").exists()


def test_a_run_goes_on_and_can_be_made_longer(signfed, tmp_path):
    def run(*arguments):
        return signfed("run", "--engine", "local", *arguments)

    config = "num-rounds=4 checkpoint-every=3 sign-fd.estimator='alg1' sign-fd.initial-rounds=2"
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
    assert result.exit_code == 2 and "expected a run folder" in result.output


def test_a_folder_that_may_not_be_read_is_one_sentence(signfed, tmp_path, monkeypatch):
    """Pretended, since root may read everything."""

    def closed(folders, page):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "of-another"))

    monkeypatch.setattr(making, "make", closed)
    result = signfed("report", str(tmp_path))
    assert result.exit_code == 2 and result.output.count("\n") == 1
    assert f"{tmp_path / 'of-another'}: expected a path that you may use" in result.output
    assert "'Permission denied'" in result.output
