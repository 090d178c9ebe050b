"""The commands of docs/deployment.md, as printed and in their order, but for Flower's processes."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.config.pairs import given_keys
from signfed.app.errors import EXTRA_OF
from signfed.app.federation import device, systemd
from signfed.app.federation.overview import overview
from signfed.app.node import answers
from signfed.app.task.datasets import digits
from tests.federation import federate
from tests.test_docs import FENCE, ROOT, commands

PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
HOW_TO = PAGE.partition("## One bit each way")[0]


def test_the_how_to_leads_to_a_federation(tmp_path, control, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(systemd, "RUNNING", Path("/nowhere"))
    text = "\n".join(text for language, text in FENCE.findall(HOW_TO) if language == "sh")
    for name in ("pi-2", "pi-3"):  # the other devices do what pi-1 does
        device.request(tmp_path / f"{name}.csr", tmp_path / f"home-{name}")
    done = []
    for program, arguments in commands(text, tmp_path):
        if program == "scp" and arguments[-1] == ".":
            shutil.copy(tmp_path / arguments[0].partition(":")[2], tmp_path)
        if program != "signfed":
            continue
        if "pi-2.bundle" in arguments:  # another device's command
            arguments += ["--home", str(tmp_path / "home-pi-2")]
        if "--fingerprint" in arguments:
            at = arguments.index("--fingerprint") + 1
            arguments[at] = overview(tmp_path / "fed")["fingerprint"]
        if (
            arguments[:2] == ["federation", "list"]
            and not (tmp_path / "fed/nodes/pi-2.json").exists()
        ):
            called("federation", "approve", str(tmp_path / "fed"), "pi-2.csr")
        # A doctor finds that no SuperLink answers here.
        called(*arguments, code=1 if arguments[1] == "doctor" else 0)
        done.append(" ".join(arguments[:2]))
    assert len(done) >= 11
    shown = overview(tmp_path / "fed")
    assert [node["name"] for node in shown["nodes"]] == ["pi-2", "pi-3"]  # pi-1 was removed
    assert (tmp_path / ".signfed" / "node" / "start-node.sh").exists()


def test_the_first_run_needs_no_more_than_was_installed(tmp_path, monkeypatch):
    """A server and two nodes that have what the install line of the page brings."""
    [block] = [text for _, text in FENCE.findall(HOW_TO) if "flwr run" in text]
    [config] = re.findall(r'-c "([^"]*)"', block)
    for name in {*EXTRA_OF, *(m for m in sys.modules if m.partition(".")[0] in EXTRA_OF)}:
        monkeypatch.setitem(sys.modules, name, None)
    digits._parts.cache_clear()
    answers._problem.cache_clear()
    keys = given_keys([config]) | {"num-rounds": 2}
    assert federate(tmp_path / "first", nodes=2, **keys).summary["status"] == "finished"


def called(*arguments, code=0):
    found = CliRunner().invoke(app, list(arguments))
    assert found.exit_code == code, (arguments, found.output)
