"""A device: its key stays, its bundle is the server's word or is refused."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from signfed.app.errors import ConfigError
from signfed.app.federation import bundle as bundles
from signfed.app.federation import device, files, keys, nodes, renewal, scripts, setup
from signfed.app.federation.request import read_request


def edited(path, key, value):
    content = json.loads(path.read_text())
    content[key] = value
    out = path.with_name(f"edited-{key}")
    out.write_text(json.dumps(content))
    return out


def test_a_key_is_made_once_and_stays_on_the_device(site):
    one = site("pi-1")
    first = one.request()
    secret = (one.home / "node.key").read_text()
    assert stat.S_IMODE((one.home / "node.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(one.home.stat().st_mode) == 0o700
    again = one.request()
    assert (first["made"], again["made"]) == (True, False)
    assert (one.home / "node.key").read_text() == secret
    text = one.csr.read_text()
    assert len(text) < 2000 and "PRIVATE" not in text + json.dumps(first)
    assert read_request(one.csr).name == "pi-1"


def test_flower_reads_the_key_and_the_request(site):
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    from flwr.cli.supernode.register import try_load_public_key
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes

    one = site("pi-1")
    one.request()
    private = load_ssh_private_key((one.home / "node.key").read_bytes(), None)
    (one.home / "key.pub").write_text(read_request(one.csr).public_key)
    registered = try_load_public_key(one.home / "key.pub")
    assert registered == public_key_to_bytes(private.public_key())
    assert keys.fingerprint_of_pem(registered) == keys.fingerprint(private.public_key())


@pytest.mark.parametrize("key, value", [
    ("name", "pi-2"), ("versions", {}), ("created", "2020-01-01T00:00:00Z"), ("signature", "AAAA"),
    ("format", "signfed-bundle-1"), ("public_key", "ssh-ed25519 AAAA"), ("more", float("nan")),
])  # fmt: skip
def test_an_edited_request_is_refused(site, key, value):
    one = site("pi-1")
    one.request()
    with pytest.raises(ConfigError, match="make it anew"):
        read_request(edited(one.csr, key, value))


def test_a_request_with_anothers_key_is_refused(site):
    """Whoever copies a public key cannot sign for it."""
    one, two = site("pi-1"), site("pi-2")
    one.request(), two.request()
    stolen = edited(two.csr, "public_key", json.loads(one.csr.read_text())["public_key"])
    with pytest.raises(ConfigError, match="signature"):
        read_request(stolen)


@pytest.mark.parametrize("name", ["", "Pi", "pi_1", "-pi", "pi-", "a" * 41, "../up", "pi 1"])
def test_names_that_no_node_has(tmp_path, name):
    with pytest.raises(ConfigError, match="name:"):
        device.request(tmp_path / "x.csr", tmp_path / "home", name or "..")


def test_another_request_is_not_overwritten(site, tmp_path):
    one = site("pi-1")
    one.csr.write_text("mine")
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        one.request()
    assert one.csr.read_text() == "mine"
    with pytest.raises(ConfigError, match="another --home"):
        device.request(tmp_path / "pi-2.csr", one.home)


def test_installing_writes_a_start_script_and_a_unit(fed, site):
    one = site("pi-1")
    made = one.installed(fed, data_dir="/some data", port=9999)
    script = (one.home / "start-node.sh").read_text()
    started = scripts.read_node_script(script)
    assert {
        "--superlink": "fl.example.org:18443", "--port": "9999",
        "partition-id": "0", "num-partitions": "1000", "data-dir": "/some data"
    }.items() <= started.items()  # fmt: skip
    assert str(one.home / "node.key") in script
    unit = (one.home / "signfed-node-pi-1.service").read_text()
    for line in ("Restart=on-failure", "StartLimitBurst=20", "UMask=0077", "WantedBy="):
        assert line in unit
    assert made["started"] == "not asked for"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) & 0o077 for p in one.home.rglob("*")}
    assert set(modes.values()) == {0}, modes


def test_installing_twice_changes_nothing(fed, site):
    one = site("pi-1")
    one.installed(fed)
    before = {p: p.read_bytes() for p in one.home.glob("*") if p.is_file()}
    assert one.installed(fed)["made"] == []
    assert {p: p.read_bytes() for p in one.home.glob("*") if p.is_file()} == before


def test_no_systemd_is_said(fed, site, monkeypatch):
    monkeypatch.setattr("signfed.app.federation.systemd.RUNNING", Path("/nowhere"))
    assert "systemd is absent" in site("pi-1").installed(fed, start=True)["started"]


@pytest.mark.parametrize("key, value", [
    ("address", "evil.example.org:18443"), ("partition", 1), ("num_partitions", 2),
    ("data_dir", "/"), ("expires", "2099-01-01T00:00:00Z"), ("name", "pi-2"), ("node_id", "1"),
    ("signature", "AAAA"), ("format", "signfed-request-1"), ("more", 1),
])  # fmt: skip
def test_an_edited_bundle_is_refused(fed, site, key, value):
    one = site("pi-1")
    approved = one.approved(fed)
    with pytest.raises(ConfigError):
        device.install(edited(Path(approved["bundle"]), key, value), approved["fingerprint"],
                       one.home)  # fmt: skip
    assert not (one.home / "start-node.sh").exists() and not (one.home / "ca.crt").exists()


def test_a_bundle_of_another_authority_is_refused(fed, site, tmp_path, control):
    """An attacker's own federation signs what it likes; the fingerprint came by another way."""
    setup.init(tmp_path / "evil", ["evil.example.org"])
    one = site("pi-1")
    expected = one.approved(fed)["fingerprint"]
    control.nodes.clear()
    theirs = nodes.approve(tmp_path / "evil", one.csr)
    with pytest.raises(ConfigError, match=f"expected {expected}"):
        device.install(Path(theirs["bundle"]), expected, one.home)


def test_a_bundle_for_another_device_is_refused(fed, site):
    one, two = site("pi-1"), site("pi-2")
    two.request()
    approved = one.approved(fed)
    with pytest.raises(ConfigError, match="this device's key"):
        device.install(Path(approved["bundle"]), approved["fingerprint"], two.home)


def test_an_expired_bundle_is_refused(fed, site, monkeypatch):
    one = site("pi-1")
    approved = one.approved(fed, days=5)
    later = files.now() + timedelta(days=6)
    monkeypatch.setattr(device, "now", lambda: later)
    with pytest.raises(ConfigError, match=r"expired.*rotate DIR --node pi-1"):
        device.install(Path(approved["bundle"]), approved["fingerprint"], one.home)


def test_an_older_bundle_cannot_be_replayed(fed, site, monkeypatch):
    one = site("pi-1")
    approved = one.approved(fed)
    old = Path(approved["bundle"]).with_name("old")
    old.write_text(Path(approved["bundle"]).read_text())
    later = files.now() + timedelta(hours=1)
    monkeypatch.setattr(nodes, "now", lambda: later)
    renewal.renew(fed, "pi-1")
    device.install(Path(approved["bundle"]), approved["fingerprint"], one.home)
    with pytest.raises(ConfigError, match="newer than the one installed"):
        device.install(old, approved["fingerprint"], one.home)


def test_a_newer_bundle_puts_the_older_one_aside(fed, site, monkeypatch):
    one = site("pi-1")
    one.installed(fed)
    later = files.now() + timedelta(hours=1)
    monkeypatch.setattr(nodes, "now", lambda: later)
    renewal.renew(fed, "pi-1")
    assert "node.bundle" in one.installed(fed)["made"]
    assert len(list(one.home.glob("node.bundle.*"))) == 1


def test_a_bundle_survives_another_layout(fed, site):
    """What is signed is what it says, not how it is laid out."""
    one = site("pi-1")
    approved = one.approved(fed)
    content = json.loads(Path(approved["bundle"]).read_text())
    other = one.home / "compact.bundle"
    other.write_text(json.dumps(dict(reversed(content.items()))))
    fingerprint = ":".join(
        approved["fingerprint"][i : i + 2] for i in range(0, 64, 2)
    ).upper()  # as openssl shows it
    assert bundles.read_bundle(other, fingerprint).partition == 0


def test_a_newer_bundle_changes_nothing_that_is_the_devices_own(fed, site, monkeypatch):
    """Its data would be looked for elsewhere, and two nodes of one device would have one port."""
    one = site("pi-1")
    one.installed(fed, data_dir="/my data", port=9999)
    own = {"data-dir": "/my data", "--port": "9999"}

    def said():
        return scripts.read_node_script((one.home / "start-node.sh").read_text())

    one.installed(fed)
    for hours in (1, 2):
        later = files.now() + timedelta(hours=hours)
        monkeypatch.setattr(nodes, "now", lambda later=later: later)
        renewal.renew(fed, "pi-1")
        one.installed(fed, **({} if hours == 1 else {"data_dir": "", "port": 9998}))
        assert said().items() >= own.items()
        own = {"--port": "9998"}
    assert "data-dir" not in said()


def test_the_devices_own_outlives_its_start_script(fed, site):
    """Moved away, half written, or replaced by other options of the same bundle: kept aside."""
    one = site("pi-1")
    one.installed(fed, data_dir="/mine", port=9999)
    script = one.home / "start-node.sh"
    script.rename(script.with_name("start-node.sh.mine"))
    one.installed(fed, port=9998)
    said = scripts.read_node_script(script.read_text())
    assert (said["data-dir"], said["--port"]) == ("/mine", "9998")
    one.installed(fed, data_dir="/other")
    said = scripts.read_node_script(script.read_text())
    assert (said["data-dir"], said["--port"]) == ("/other", "9998")
    were = [*one.home.glob("start-node.sh*")]
    assert len(were) == 3
    texts = {file.read_bytes() for file in were}
    script.write_bytes(b"#!/bin/sh\n\xff\xfe")
    one.installed(fed, data_dir="/again")
    assert scripts.read_node_script(script.read_text())["data-dir"] == "/again"
    one.installed(fed, data_dir="/once-more")  # of the same bundle: under names of their own
    kept = {file.read_bytes() for file in one.home.glob("start-node.sh.*")}
    assert len(kept) == 4 and len(texts - kept) == 1  # but "/other", of which only half was left


def test_a_home_is_the_same_however_it_is_spelled(fed, site, monkeypatch):
    one = site("pi-1")
    one.installed(fed, data_dir="/mine")
    before = {p: p.read_bytes() for p in one.home.glob("*") if p.is_file()}
    monkeypatch.chdir(one.home.parent)
    for spelled in (Path("..") / one.home.parent.name / one.home.name, Path(one.home.name)):
        one.home = spelled
        assert one.installed(fed)["made"] == []
    assert {p: p.read_bytes() for p in before} == before


def test_a_relative_data_dir_is_where_the_command_is_given(fed, site, tmp_path, monkeypatch):
    """The node starts in its home, where there is no such folder."""
    monkeypatch.chdir(tmp_path)
    one = site("pi-1")
    one.installed(fed, data_dir="mydata")
    said = scripts.read_node_script((one.home / "start-node.sh").read_text())
    assert said["data-dir"] == str(tmp_path / "mydata")


def test_a_unit_of_another_release_is_put_aside(fed, site):
    one = site("pi-1")
    one.installed(fed)
    unit = one.home / "signfed-node-pi-1.service"
    unit.write_text("[Unit]\nDescription=of a release before\n")
    assert one.installed(fed)["made"] == [unit.name]
    [aside] = one.home.glob(f"{unit.name}.*")
    assert "release before" in aside.read_text() and "Restart=on-failure" in unit.read_text()


@pytest.mark.parametrize(
    "fault", ["authority edited", "root", "others may enter", "no unit's path"]
)
def test_a_refused_install_changes_nothing(fed, site, monkeypatch, systemctl, fault):
    one = site("pi-1")
    one.installed(fed, data_dir="/mine")
    given = {"data_dir": "/other", "start": True}
    if fault == "authority edited":
        (one.home / "ca.crt").write_text("edited")
    elif fault == "root":
        monkeypatch.setattr("os.geteuid", lambda: 0)
    elif fault == "others may enter":
        (one.home / "flower").chmod(0o755)
    else:
        one.home = one.home.rename(one.home.with_name('a "quote'))
    before = {p: p.read_bytes() for p in one.home.glob("*") if p.is_file()}
    with pytest.raises(ConfigError):
        one.installed(fed, **given)
    assert {p: p.read_bytes() for p in one.home.glob("*") if p.is_file()} == before
    assert systemctl.calls == []
