"""A federation on its server: made once, nodes approved, removed and renewed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
import tomllib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import DNSName
from cryptography.x509.verification import PolicyBuilder, Store

from signfed.app.errors import ConfigError
from signfed.app.federation import device, files, keys, nodes, renewal, setup, superlink
from signfed.app.federation.authority import renew_authority, replace_authority
from signfed.app.federation.bundle import write_bundle
from signfed.app.federation.ca import (
    ca_fingerprint,
    hosts_of,
    load_certificate,
    new_server_certificate,
)
from signfed.app.federation.overview import overview
from signfed.app.federation.roster import read_roster


def tree(folder):
    """Path -> mode and content of every file below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode & 0o777,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


def acts(fed):
    return [json.loads(line)["act"] for line in (fed / "audit.jsonl").read_text().splitlines()]


def test_init_makes_all_that_a_server_needs_and_nothing_that_others_read(tmp_path):
    before = os.umask(0)  # what a careless user has: the modes are ours all the same
    try:
        made = setup.init(tmp_path / "fed", ["fl.example.org", "10.0.0.7"], port=18443)
    finally:
        os.umask(before)
    fed = tmp_path / "fed"
    assert {mode & 0o077 for mode, _ in tree(fed).values()} == {0}
    assert fed.stat().st_mode & 0o777 == 0o700
    certificate = load_certificate((fed / "server.pem").read_text())
    assert hosts_of(certificate) == ["fl.example.org", "10.0.0.7", "localhost", "127.0.0.1", "::1"]
    ca = load_certificate((fed / "ca.crt").read_text())
    certificate.verify_directly_issued_by(ca)
    connection = tomllib.loads((fed / "flower" / "config.toml").read_text())["superlink"]
    assert connection["signfed"] == {
        "address": "127.0.0.1:18443", "root-certificates": str(fed / "ca.crt")
    }  # fmt: skip
    script = (fed / "start-superlink.sh").read_text()
    for part in ("--enable-supernode-auth", f"--database {fed}/superlink.db", "SIGNFED_ROSTER="):
        assert part in script
    assert "--insecure" not in script
    unit = (fed / "signfed-superlink.service").read_text()
    assert "Restart=on-failure" in unit and "StartLimitBurst=5" in unit
    assert made["address"] == "fl.example.org:18443"
    assert (
        made["fingerprint"]
        == hashlib.sha256(
            ca.public_bytes(__import__("cryptography").hazmat.primitives.serialization.Encoding.DER)
        ).hexdigest()
    )


def test_init_again_changes_nothing_and_completes_what_was_interrupted(fed):
    before = tree(fed)
    assert setup.init(fed, ["fl.example.org", "10.0.0.7"], port=18443)["made"] == []
    assert tree(fed) == before
    (fed / "server.pem").unlink()
    (fed / "start-superlink.sh").unlink()
    made = setup.init(fed, ["fl.example.org", "10.0.0.7"], port=18443)["made"]
    assert made == ["server.pem", "start-superlink.sh"]
    assert tree(fed)["start-superlink.sh"] == before["start-superlink.sh"]


@pytest.mark.parametrize(
    "change, named",
    [
        ({"hosts": ["other.org"]}, "hosts"),
        ({"port": 1}, "port"),
        ({"num_partitions": 5}, "num_partitions"),
        ({"name": "another"}, "name"),
        ({"hosts": ["no host"]}, "host:"),
        ({"hosts": []}, "host:"),
        ({"hosts": ["10.0.0.300"]}, "host:"),
        ({"hosts": ["10.0.7"]}, "host:"),
        ({"bind": "0.0.0"}, "host:"),
    ],
)
def test_init_refuses_other_settings(fed, change, named):
    before = tree(fed)
    given = {"hosts": ["fl.example.org", "10.0.0.7"], "port": 18443} | change
    with pytest.raises(ConfigError, match=named):
        setup.init(fed, **given)
    assert tree(fed) == before


def test_init_overwrites_nothing(tmp_path):
    (tmp_path / "ca.crt").write_text("mine")
    with pytest.raises(ConfigError, match="new or empty"):
        setup.init(tmp_path, ["localhost"], name="fed")
    assert (tmp_path / "ca.crt").read_text() == "mine"


def test_a_folder_is_looked_at_where_python_leaves_assertions_out(tmp_path):
    (tmp_path / "federation.json").write_text("{}")
    code = (
        "from pathlib import Path; from signfed.app.federation.settings import open_home;"
        f"open_home(Path({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True)
    assert done.returncode and "expected a federation's folder" in done.stderr


def test_of_two_commands_at_once_the_second_waits(tmp_path, monkeypatch):
    order, waits, flock = [], threading.Event(), fcntl.flock

    def seen(descriptor, how):
        with suppress(BlockingIOError):
            return flock(descriptor, how | fcntl.LOCK_NB)
        waits.set()
        return flock(descriptor, how)

    def second():
        with files.one_at_a_time(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with files.one_at_a_time(tmp_path):
        monkeypatch.setattr(fcntl, "flock", seen)
        thread.start()
        assert waits.wait(30)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_adding_a_site_leaves_all_others_byte_for_byte(fed, site):
    site("pi-1").approved(fed)
    site("pi-2").approved(fed, partition=7, data_dir="/data")
    before = tree(fed)
    site("pi-3").approved(fed)
    after = tree(fed)
    assert {name for name in after if after[name] != before.get(name)} == {
        "nodes/pi-3.json", "nodes/pi-3.bundle", "audit.jsonl",
    }  # fmt: skip
    assert [(n.name, n.partition) for n in read_roster(fed / "nodes")] == [
        ("pi-1", 0), ("pi-3", 1), ("pi-2", 7),
    ]  # fmt: skip


def test_approving_twice_gives_the_same_bundle(fed, site, control):
    first = site("pi-1").approved(fed)
    before = tree(fed)
    assert nodes.approve(fed, site("pi-1").csr) == first
    assert tree(fed) == before and len(control.nodes) == 1


def test_what_an_approval_cannot_change_is_refused(fed, site):
    """The same again is not, so that an interrupted one can be completed."""
    first = site("pi-1").approved(fed, data_dir="/data", days=30)
    before = tree(fed)
    assert site("pi-1").approved(fed, data_dir="/data", days=30) == first
    with pytest.raises(ConfigError, match=r"data-dir: pi-1 .*'/data', got '/other'; .*--data-dir"):
        site("pi-1").approved(fed, data_dir="/other")
    with pytest.raises(ConfigError, match=r"approved until .*rotate DIR --node pi-1 --days 31"):
        site("pi-1").approved(fed, days=31)
    assert tree(fed) == before


def test_a_data_dir_is_the_devices_own_path_and_not_relative(fed, site):
    """Relative to what: to where the server's owner stands, or the node?"""
    with pytest.raises(ConfigError, match=r"data-dir: expected .*absolute.*; got 'mydata'"):
        site("pi-1").approved(fed, data_dir="mydata")
    assert read_roster(fed / "nodes") == []
    site("pi-1").approved(fed, data_dir="~/mydata")


@pytest.mark.parametrize("lost", ["the answer of the SuperLink", "the bundle"])
def test_an_interrupted_approval_is_completed(fed, site, control, monkeypatch, lost):
    def broken(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        where = {"the answer of the SuperLink": "replace", "the bundle": "bundle_text"}[lost]
        patch.setattr(nodes, where, broken)
        site("pi-1").approved(fed)
    done = site("pi-1").approved(fed)
    assert len(control.nodes) == 1 and done["node_id"] == str(control.nodes[0].node_id)
    assert acts(fed) == ["init", "approve"]


def test_a_superlink_that_is_silent_registers_nobody(fed, site, control):
    control.silent = True
    with pytest.raises(superlink.SuperLinkSilent, match="does not answer"):
        site("pi-1").approved(fed)
    assert not (fed / "nodes" / "pi-1.bundle").exists()
    control.silent = False
    site("pi-1").approved(fed)


def test_an_approval_that_no_superlink_heard_can_be_changed(fed, site, control):
    one = site("pi-1")
    control.silent = True
    with pytest.raises(superlink.SuperLinkSilent, match="start it, and give this command again"):
        one.approved(fed, partition=3, data_dir="/data", days=9)
    with pytest.raises(superlink.SuperLinkSilent):
        one.approved(fed, partition=4, data_dir="/other")
    control.silent = False
    site("pi-2").approved(fed, partition=5)
    with pytest.raises(ConfigError, match="'pi-2' has 5"):
        one.approved(fed, partition=5)
    done = one.approved(fed, days=5)  # what is not given again stays
    (node, _) = read_roster(fed / "nodes")
    assert (node.partition, node.data_dir, node.node_id) == (4, "/other", done["node_id"])
    assert files.read_time(node.expires) - files.read_time(node.created) == timedelta(days=5)


def test_an_approval_that_no_superlink_heard_can_be_taken_back(fed, site, control):
    """The key was never anybody's: the device needs no new one."""
    one = site("pi-1")
    control.silent = True
    with pytest.raises(superlink.SuperLinkSilent):
        one.approved(fed, partition=3)
    removed = nodes.remove(fed, "pi-1")
    assert read_roster(fed / "nodes") == [] and nodes.remove(fed, "pi-1") == removed
    control.silent = False
    assert one.approved(fed, partition=4)["partition"] == 4


def test_a_partition_a_name_and_a_key_belong_to_one_node(fed, site, tmp_path):
    one = site("pi-1")
    one.approved(fed, partition=3)
    with pytest.raises(ConfigError, match="'pi-1' has 3"):
        site("pi-2").approved(fed, partition=3)
    with pytest.raises(ConfigError, match="0 to 999"):
        site("pi-2").approved(fed, partition=1000)
    with pytest.raises(ConfigError, match="pi-1 has 3 already"):
        one.approved(fed, partition=4)
    thief = type(one)(tmp_path / "thief", "pi-1")
    (tmp_path / "thief").mkdir()
    with pytest.raises(ConfigError, match="expected a new name"):
        thief.approved(fed)
    from signfed.app.federation import keys, request

    other_name = tmp_path / "again.csr"
    other_name.write_text(request.write_request("pi-9", keys.load_key(one.home / "node.key")))
    with pytest.raises(ConfigError, match="that of the node 'pi-1'"):
        nodes.approve(fed, other_name)


def test_removing_ends_a_registration_and_is_written_down(fed, site, control):
    site("pi-1").approved(fed)
    site("pi-2").approved(fed)
    before = tree(fed)
    removed = nodes.remove(fed, "pi-1")
    after = tree(fed)
    assert [node.status for node in control.nodes] == ["unregistered", "registered"]
    assert [n.name for n in read_roster(fed / "nodes")] == ["pi-2"]
    assert after["nodes/pi-2.json"] == before["nodes/pi-2.json"]
    assert after["nodes/pi-2.bundle"] == before["nodes/pi-2.bundle"]
    last = json.loads((fed / "audit.jsonl").read_text().splitlines()[-1])
    assert (last["act"], last["name"], last["node_id"]) == ("remove", "pi-1", removed["node_id"])
    assert nodes.remove(fed, "pi-1") == removed and acts(fed).count("remove") == 1
    with pytest.raises(ConfigError, match="not removed before"):
        nodes.approve(fed, site("pi-1").csr)
    control.nodes.clear()  # a new database has forgotten the key, the roster has not
    with pytest.raises(ConfigError, match="not removed before"):
        nodes.approve(fed, site("pi-1").csr)
    with pytest.raises(ConfigError, match="name of a node"):
        nodes.remove(fed, "pi-8")


def test_a_removed_nodes_name_and_partition_are_free_for_a_new_key(fed, site, tmp_path):
    site("pi-1").approved(fed, partition=5)
    nodes.remove(fed, "pi-1")
    (tmp_path / "new").mkdir()
    new = type(site("pi-1"))(tmp_path / "new", "pi-1")
    assert new.approved(fed, partition=5)["partition"] == 5
    nodes.remove(fed, "pi-1")
    assert len(list((fed / "removed").glob("pi-1-*.json"))) == 2


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"format": "another"}', b"[]"])
def test_a_damaged_entry_is_named_and_can_be_removed(fed, site, control, content):
    """Whoever it was, others can be approved and removed again, and it as well."""
    one = site("pi-1")
    first = one.approved(fed, partition=7)
    site("pi-2").approved(fed)
    entry = fed / "nodes" / "pi-1.json"
    entry.write_bytes(content)
    for refused in (lambda: overview(fed), lambda: site("pi-3").approved(fed)):
        with pytest.raises(ConfigError, match=r"pi-1\.json.*backup.*federation remove DIR pi-1"):
            refused()
    nodes.remove(fed, "pi-2")
    removed = nodes.remove(fed, "pi-1")
    assert removed == {"name": "pi-1", "partition": None, "key": "", "node_id": ""}
    assert content in [file.read_bytes() for file in (fed / "removed").iterdir()]
    assert (acts(fed)[-1], read_roster(fed / "nodes")) == ("remove", [])
    assert not (fed / "nodes" / "pi-1.bundle").exists()
    again = one.approved(fed, partition=7)
    assert again["node_id"] == first["node_id"]
    with pytest.raises(ConfigError, match="name of a node"):
        nodes.remove(fed, "../federation")


def test_a_node_is_out_of_the_roster_although_the_superlink_is_silent(fed, site, control):
    site("pi-1").approved(fed)
    control.silent = True
    with pytest.raises(superlink.SuperLinkSilent, match=r"out of the roster.*command again"):
        nodes.remove(fed, "pi-1")
    assert read_roster(fed / "nodes") == []
    control.silent = False
    nodes.remove(fed, "pi-1")
    assert control.nodes[0].status == "unregistered"


def test_renewing_a_node_changes_its_time_alone(fed, site):
    site("pi-1").approved(fed, days=1)
    before = read_roster(fed / "nodes")[0]
    renewal.renew(fed, "pi-1", days=30)
    after = read_roster(fed / "nodes")[0]
    assert files.read_time(after.expires) > files.read_time(before.expires)
    assert (after.key, after.partition, after.node_id) == (
        before.key, before.partition, before.node_id,
    )  # fmt: skip
    assert acts(fed)[-1] == "renew"


def test_a_superlink_with_a_new_database_learns_the_key_again(fed, site, control):
    before = site("pi-1").approved(fed)
    control.nodes.clear()
    renewal.renew(fed, "pi-1")
    (node,) = read_roster(fed / "nodes")
    assert node.node_id == str(control.nodes[0].node_id) != before["node_id"]
    assert (node.key, node.partition) == (before["key"], before["partition"])
    control.silent = True
    renewal.renew(fed, "pi-1", days=9)
    assert read_roster(fed / "nodes")[0].node_id == node.node_id


def test_rotating_renews_the_servers_certificate_for_one_more_name(fed, site, monkeypatch):
    site("pi-1").approved(fed)
    before = tree(fed)
    old = load_certificate((fed / "server.pem").read_text())
    done = renewal.rotate(fed, ["second.example.org"])
    new = load_certificate((fed / "server.pem").read_text())
    assert new.serial_number != old.serial_number and "second.example.org" in hosts_of(new)
    assert done["superlink"] == "at its next start"
    changed = {name for name, what in tree(fed).items() if before.get(name) != what}
    assert changed == {"server.pem", "federation.json", "audit.jsonl"}
    new.verify_directly_issued_by(load_certificate((fed / "ca.crt").read_text()))


def test_a_renewed_authority_and_the_one_before_are_both_trusted(fed, site):
    """A device goes on with the old certificate, and installs its new bundle when it likes."""
    early, late = site("pi-1"), site("pi-2")
    early.installed(fed), late.installed(fed)
    old = (fed / "ca.crt").read_text()
    served = (fed / "server.pem").read_text()
    done = renew_authority(fed)
    new = (fed / "ca.crt").read_text()
    assert new != old and done["fingerprint"] == overview(fed)["fingerprint"] == ca_fingerprint(new)
    assert (early.home / "ca.crt").read_text() == old
    renewal.rotate(fed)
    for certificate in (served, (fed / "server.pem").read_text()):
        for authority in (old, new):
            store = Store([load_certificate(authority)])
            host = PolicyBuilder().store(store).build_server_verifier(DNSName("fl.example.org"))
            host.verify(load_certificate(certificate), [])

    bundle = fed / "nodes" / "pi-1.bundle"
    with pytest.raises(ConfigError, match="its authority has the fingerprint"):
        device.install(bundle, ca_fingerprint(old), early.home)
    device.install(bundle, done["fingerprint"], early.home)
    assert (early.home / "ca.crt").read_text() == new and (early.home / "start-node.sh").exists()
    assert device.NodeHome(early.home).installed().partition == 0
    assert device.NodeHome(late.home).installed().partition == 1
    assert acts(fed)[-2:] == ["renew authority", "rotate"]
    assert site("pi-3").installed(fed)["partition"] == 2  # and one that comes now


def test_after_a_leak_nothing_of_the_old_authority_is_good_and_every_node_stays(fed, site):
    """Who has the old key can neither pass for the server nor write a bundle that is taken."""
    one = site("pi-1")
    one.installed(fed)
    leaked, old = keys.load_key(fed / "ca.key"), (fed / "ca.crt").read_text()
    roster = (fed / "nodes" / "pi-1.json").read_text()
    bundle, secret = fed / "nodes" / "pi-1.bundle", (one.home / "node.key").read_text()
    done = replace_authority(fed)
    assert done["revoked"] == ca_fingerprint(old) != done["fingerprint"]
    assert keys.fingerprint(keys.load_key(fed / "ca.key").public_key()) != keys.fingerprint(
        leaked.public_key()
    )
    forged = load_certificate(new_server_certificate(["fl.example.org"], old, leaked, files.now()))
    server = load_certificate((fed / "server.pem").read_text())
    server.verify_directly_issued_by(load_certificate((fed / "ca.crt").read_text()))
    with pytest.raises(ConfigError, match="if the server's owner"):  # nobody is led over by chance
        device.install(bundle, done["fingerprint"], one.home)
    # as an installation that broke off leaves it
    (one.home / "node.bundle").rename(one.home / "node.bundle.aside")
    with pytest.raises(ConfigError, match="holds something else"):
        device.install(bundle, done["fingerprint"], one.home)
    device.install(bundle, done["fingerprint"], one.home, new_authority=True)
    assert old in {file.read_text() for file in one.home.glob("ca.crt.*")}
    trusted = load_certificate((one.home / "ca.crt").read_text())
    server.verify_directly_issued_by(trusted)
    with pytest.raises(InvalidSignature):
        forged.verify_directly_issued_by(trusted)
    installed = device.NodeHome(one.home).installed()
    text = write_bundle(replace(installed, address="evil.example.org:8000"), leaked)
    (one.home / "forged").write_text(text)
    with pytest.raises(ConfigError, match="signature does not fit"):
        device.install(one.home / "forged", done["fingerprint"], one.home, new_authority=True)
    assert (fed / "nodes" / "pi-1.json").read_text() == roster  # same key, same partition
    assert (one.home / "node.key").read_text() == secret
    assert acts(fed)[-1] == "revoke authority"
    assert (fed / "removed" / f"ca-{done['revoked'][:12]}.crt").read_text() == old
    assert replace_authority(fed)["revoked"] == done["fingerprint"]  # again, where it broke off


def test_a_new_authority_is_no_other_federations(fed, site, tmp_path):
    one = site("pi-1")
    one.installed(fed)
    setup.init(tmp_path / "other", ["fl.example.org"])
    nodes.remove(fed, "pi-1")
    theirs = tmp_path / "theirs.bundle"
    installed = device.NodeHome(one.home).installed()
    other = (tmp_path / "other" / "ca.crt").read_text()
    bundle = replace(installed, federation="other", ca=other)
    theirs.write_text(write_bundle(bundle, keys.load_key(tmp_path / "other" / "ca.key")))
    with pytest.raises(ConfigError, match="which takes another --home"):
        device.install(theirs, ca_fingerprint(other), one.home, new_authority=True)


def test_an_authority_without_its_key_is_not_renewed(fed):
    (fed / "ca.key").write_text(keys.key_text(keys.new_key()))
    with pytest.raises(ConfigError, match="it is another's"):
        renew_authority(fed)


def test_the_list_shows_who_is_there_and_until_when(fed, site, control):
    site("pi-1").approved(fed, days=10)
    control.nodes[0].status = "online"
    found = overview(fed)
    (node,) = found["nodes"]
    assert (node["name"], node["status"], found["superlink"]) == ("pi-1", "online", "answers")
    assert files.read_time(node["expires"]) > datetime.now(UTC)
    assert files.read_time(found["certificate_expires"]) > datetime.now(UTC)
    control.silent = True
    assert overview(fed)["superlink"] == "silent"


DAMAGED = {
    "approve": lambda fed, two: nodes.approve(fed, two.csr),
    "list": lambda fed, two: overview(fed),
    "rotate": lambda fed, two: renewal.rotate(fed),
    "renew": lambda fed, two: renewal.renew(fed, "pi-1"),
    "rotate --authority": lambda fed, two: renew_authority(fed),
    "revoke-authority": lambda fed, two: replace_authority(fed),
    "init": lambda fed, two: setup.init(fed, ["fl.example.org", "10.0.0.7"], port=18443),
}


@pytest.mark.parametrize("content", [b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA", b""])
@pytest.mark.parametrize("command", DAMAGED)
def test_a_damaged_authority_is_named_and_nothing_is_changed(fed, site, command, content):
    site("pi-1").approved(fed)
    two = site("pi-2")
    two.request()
    (fed / "ca.crt").write_bytes(content)
    before = tree(fed)
    with pytest.raises(ConfigError, match=r"a certificate, PEM, in .*ca\.crt.*federation doctor"):
        DAMAGED[command](fed, two)
    assert tree(fed) == before


def test_a_removed_node_is_out_of_the_roster_although_the_authority_is_damaged(fed, site):
    site("pi-1").approved(fed)
    (fed / "ca.crt").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"ca\.crt"):
        nodes.remove(fed, "pi-1")
    assert read_roster(fed / "nodes") == []


def test_the_container_file_installs_nothing_that_nobody_named(fed):
    """No package index has one of our name; who took it would be given the authority's key."""
    text = (fed / "Containerfile").read_text(encoding="utf-8")
    [command] = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN")]
    command = command.replace("pip install --no-cache-dir", "echo installs")

    def built(**argument):
        return subprocess.run(["sh", "-c", command], env=argument, capture_output=True, text=True)

    assert "ARG SIGNFED\n" in text and built().returncode and built(SIGNFED="").returncode
    assert "expected --build-arg SIGNFED=" in built().stderr
    assert built(SIGNFED="https://a.org/b.whl").stdout == "installs https://a.org/b.whl\n"


@pytest.mark.parametrize("name", ["start-superlink.sh", "Containerfile", "flower/config.toml"])
def test_init_again_writes_what_another_release_wrote_otherwise(fed, name):
    """It is made of the settings; what was there is put aside."""
    now_there = (fed / name).read_text()
    (fed / name).write_text("as an earlier release wrote it")
    made = setup.init(fed, ["fl.example.org", "10.0.0.7"], port=18443)["made"]
    assert made == [name] and (fed / name).read_text() == now_there
    (aside,) = (fed / name).parent.glob(f"{(fed / name).name}.*")
    assert aside.read_text() == "as an earlier release wrote it"


def test_a_damaged_file_of_a_removed_node_is_to_be_restored(fed, site):
    site("pi-1").approved(fed)
    nodes.remove(fed, "pi-1")
    (removed,) = (fed / "removed").glob("*.json")
    removed.write_text("{")
    two = site("pi-2")
    two.request()
    with pytest.raises(ConfigError, match=r"removed/pi-1.*; restore it from your backup$"):
        nodes.approve(fed, two.csr)
