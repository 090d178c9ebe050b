"""Each command answers in one form, for people and for programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.errors import ConfigError
from signfed.app.federation import authority, device, nodes, renewal, setup, systemd
from signfed.app.federation.serve import keep_contexts


def called(*arguments, code=0):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done


def as_json(*arguments, code=0):
    found = json.loads(called(*arguments, "--format", "json", code=code).stdout)
    assert found["command"] == " ".join(map(str, arguments[:2]))
    assert found["ok"] is (code == 0)
    return found


def test_from_an_empty_folder_to_an_installed_node(tmp_path, control):
    fed, csr, home = tmp_path / "fed", tmp_path / "pi-1.csr", tmp_path / "home"
    said = [
        init := as_json("federation", "init", fed, "--host", "fl.example.org"),
        as_json("node", "request", "--out", csr, "--home", home),
        done := as_json("federation", "approve", fed, csr, "--partition", 4, "--data-dir", "/data"),
        as_json(
            "node", "install", done["result"]["bundle"], "--home", home,
            "--fingerprint", init["result"]["fingerprint"],
        ),
        as_json("federation", "list", fed),
        as_json("federation", "rotate", fed, "--node", "pi-1", "--days", 3),
        as_json("federation", "rotate", fed, "--host", "10.0.0.7"),
        as_json("federation", "remove", fed, "pi-1"),
    ]  # fmt: skip
    assert all(set(answer) == {"command", "ok", "result"} for answer in said)
    assert done["result"]["partition"] == 4
    secrets = [(fed / "ca.key"), (fed / "server.pem"), (home / "node.key")]
    for secret in secrets:
        for line in secret.read_text().splitlines()[1:3]:
            assert line not in json.dumps(said)


def test_people_get_sentences(tmp_path, control):
    fed, csr, home = tmp_path / "fed", tmp_path / "pi-1.csr", tmp_path / "home"
    assert "fingerprint" in called("federation", "init", fed, "--host", "localhost").stdout
    called("node", "request", "--out", csr, "--home", home)
    called("federation", "add", fed, csr)
    assert "pi-1" in called("federation", "list", fed).stdout
    doctor = called("federation", "doctor", fed, code=1)
    assert "the SuperLink does not run" in doctor.stdout and "-> sh " in doctor.stdout


FED, CSR, BUNDLE = Path("fed"), Path("pi-1.csr"), Path("pi-1.bundle")
# Command line -> which function it calls, with which arguments.
CALLS = {
    "federation init fed --host a --host b --port 9 --bind ::1 --name n --partitions 7": (
        setup, "init", (FED, ["a", "b"]),
        {"port": 9, "bind": "::1", "name": "n", "num_partitions": 7},
    ),
    "federation approve fed pi-1.csr --partition 4 --data-dir /data --days 3": (
        nodes, "approve", (FED, CSR), {"partition": 4, "data_dir": "/data", "days": 3},
    ),
    "federation rotate fed": (renewal, "rotate", (FED, []), {}),
    "federation rotate fed --host a": (renewal, "rotate", (FED, ["a"]), {}),
    "federation rotate fed --node pi-1 --days 3": (renewal, "renew", (FED, "pi-1", 3), {}),
    "federation rotate fed --authority": (authority, "renew_authority", (FED,), {}),
    "federation rotate fed --authority --revoke": (authority, "replace_authority", (FED,), {}),
    "node install pi-1.bundle --fingerprint 00 --home h --data-dir d --port 9 --start "
    "--new-authority": (
        device, "install", (BUNDLE, "00", Path("h")),
        {"data_dir": "d", "port": 9, "start": True, "new_authority": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", CALLS)
def test_what_a_command_is_given_arrives(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    module, function, given, options = CALLS[line]
    calls = []
    monkeypatch.setattr(module, function, lambda *a, **k: calls.append((a, k)) or {})
    called(*line.split())
    assert calls == [(given, options)]


@pytest.mark.parametrize("options, words", [
    (["--node", "pi-1", "--authority"], "expected one of --node, --host and --authority"),
    (["--host", "a", "--authority"], "expected one of --node, --host and --authority"),
    (["--node", "pi-1", "--host", "a"], "expected one of --node, --host and --authority"),
    (["--revoke"], "--revoke: expected --authority beside it"),
    (["--days", 30], "--days: expected --node beside it"),
])  # fmt: skip
def test_options_of_rotate_that_do_not_go_together_are_refused(fed, options, words):
    assert words in as_json("federation", "rotate", fed, *options, code=2)["error"]


def test_what_is_wrong_is_said_in_the_same_form(tmp_path):
    found = as_json("federation", "list", tmp_path, code=2)
    assert "signfed federation init" in found["error"]
    found = as_json("node", "install", tmp_path / "none", "--fingerprint", "00", code=2)
    assert "expected" in found["error"]
    found = as_json("node", "doctor", "--home", tmp_path / "none", code=1)
    assert found["findings"][0]["remedy"].startswith("signfed node request")
    assert "error:" in called("federation", "list", tmp_path, code=2).output


def test_systemd_starts_a_users_unit_anew_with_what_is_installed_now(tmp_path, systemctl):
    unit = tmp_path / "signfed-node-pi-1.service"
    unit.write_text("[Unit]\n")
    place = tmp_path / ".config/systemd/user" / unit.name
    place.parent.mkdir(parents=True)
    place.write_text("of a release before")
    assert "started" in systemd.start(unit, "2026")
    assert systemctl.calls == [
        "systemctl --user daemon-reload",
        "systemctl --user enable signfed-node-pi-1.service",
        "systemctl --user restart signfed-node-pi-1.service",
    ]
    assert place.read_text() == "[Unit]\n"
    assert place.with_name(f"{unit.name}.2026").read_text() == "of a release before"


@pytest.mark.parametrize("what", ["daemon-reload", "enable", "restart"])
def test_what_systemd_refuses_is_said(tmp_path, systemctl, what):
    unit = tmp_path / "signfed-node-pi-1.service"
    unit.write_text("[Unit]\n")
    systemctl.refuses = what
    with pytest.raises(ConfigError, match=f"--user {what}.*: no bus; start it with the start scr"):
        systemd.start(unit, "2026")
    assert what in systemctl.calls[-1]


def test_no_node_is_started_as_root(monkeypatch):
    monkeypatch.setattr(systemd, "present", lambda: True)
    monkeypatch.setattr(systemd.os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="ordinary user"):
        systemd.expect_a_user()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="wants systemd's own check")
def test_systemd_takes_the_units(tmp_path, control):
    fed, csr, home = tmp_path / "fed 50%", tmp_path / "pi-1.csr", tmp_path / "home"
    called("federation", "init", fed, "--host", "localhost", "--name", "fed")
    called("node", "request", "--out", csr, "--home", home)
    done = as_json("federation", "approve", fed, csr)["result"]
    called("node", "install", done["bundle"], "--home", home, "--fingerprint", done["fingerprint"])
    for unit in (fed / "signfed-superlink.service", home / "signfed-node-pi-1.service"):
        checked = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_the_web_server_still_makes_its_context_where_we_look(tmp_path, control, monkeypatch):
    """On which renewal without a restart rests."""
    import uvicorn
    import uvicorn.config

    monkeypatch.setattr(uvicorn.config, "create_ssl_context", uvicorn.config.create_ssl_context)
    called("federation", "init", tmp_path / "fed", "--host", "localhost")
    kept = keep_contexts()
    certificate = str(tmp_path / "fed" / "server.pem")
    config = uvicorn.Config(app=None, ssl_certfile=certificate, ssl_keyfile=certificate)
    config.load()
    ((context, file),) = kept
    assert context is config.ssl and file == certificate


def test_a_unit_that_starts_another_node_is_left_alone(tmp_path, monkeypatch):
    """Two federations may call one machine by the same name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    unit = tmp_path / "second" / "signfed-node-pi-1.service"
    systemd.expect_own(unit)
    installed = tmp_path / ".config/systemd/user" / unit.name
    installed.parent.mkdir(parents=True)
    installed.write_text(f"ExecStart={tmp_path}/second/start-node.sh")
    systemd.expect_own(unit)
    installed.write_text(f"ExecStart={tmp_path}/first/start-node.sh")
    with pytest.raises(ConfigError, match=f"starts the node in {tmp_path}/second"):
        systemd.expect_own(unit)
