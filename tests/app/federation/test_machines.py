"""docs/deployment.md on four machines: its commands as printed, from bare Debian to after a leak.

Minutes, and root: `pytest -m machines`. What stands in for what is in machines.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.app.federation.machines import NAME, Devices
from tests.test_docs import FENCE, ROOT
from tests.waiting import GUARD, until

LACKS = [
    what
    for what, there in (
        ("root", os.geteuid() == 0),
        ("ip", shutil.which("ip")),
        ("unshare", shutil.which("unshare")),
        ("/dev/net/tun", Path("/dev/net/tun").exists()),
    )
    if not there
]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").partition("## One bit")[0]
BLOCKS = [text for language, text in FENCE.findall(PAGE) if language == "sh"]
UPGRADE = "-e .\nsystemctl --user restart signfed-"
# Every block of the how-to, by words in it that are in no other.
WORDS = {
    "packages": "apt-get install",
    "server": "federation init",
    "request": "node request --out pi-1.csr",
    "approve": "federation approve",
    "install": "pi-1.bundle .",
    "run": "flwr run",
    "change": "federation add",
    "again": "pi-1-again.csr",
    "revoke": "--revoke",
    "trust": "--new-authority",
    "firewall": "ufw allow",
    "upgrade the server": f"{UPGRADE}superlink",
    "upgrade a device": f"{UPGRADE}node",
}


def test_every_block_is_given_to_a_machine():
    for word in WORDS.values():
        assert sum(word in block for block in BLOCKS) == 1, word
    assert len(BLOCKS) == len(WORDS)


def block(name, **changes):
    """A block as printed, with other names where a second device gives it."""
    [text] = [text for text in BLOCKS if WORDS[name] in text]
    for old, new in changes.items():
        text = text.replace(old.replace("_", "-"), new)
    return text


@pytest.fixture
def machines():
    place = Path(tempfile.mkdtemp(prefix="signfed-machines-"))  # which others can enter
    place.chmod(0o755)
    try:
        with Devices(place, 3) as found:
            yield found
    finally:
        shutil.rmtree(place)


def told(machines, text):
    """A block with the fingerprint in place of the one that is printed, as by telephone."""
    fingerprint = machines.ask("server", "signfed federation list ~/fed")["fingerprint"]
    return re.sub(r"FINGERPRINT=\S+", f"FINGERPRINT={fingerprint}", text)


def run(machines, name, workers):
    """A run as printed, in another folder and of so many workers; its rounds."""
    text = block("run", first=name).replace("num-workers=2", f"num-workers={workers}")
    machines.give("server", text.replace("num-rounds=10", "num-rounds=3"))
    out = machines.place / "server" / "home" / "runs" / name
    assert json.loads((out / "summary.json").read_text())["status"] == "finished"
    return [json.loads(line) for line in (out / "rounds.jsonl").open()]


def online(machines, names):
    """Wait until the SuperLink knows these nodes as connected."""

    def found():
        shown = machines.ask("server", "signfed federation list ~/fed")
        return {n["name"] for n in shown["nodes"] if n["status"] == "online"} >= set(names)

    until(found, f"{names} online")


def joins(machines, device, name, approved, request=None, **install):
    """A device's blocks, and the server's answer between them."""
    machines.give(device, request or block("request", pi_1=name))
    machines.give("server", approved)
    machines.give(device, told(machines, block("install", pi_1=name, **install)))


@pytest.mark.machines
@pytest.mark.timeout(2 * GUARD)
@pytest.mark.skipif(bool(LACKS), reason=f"machines are namespaces: expected {', '.join(LACKS)}")
def test_the_how_to_on_a_server_and_three_devices(machines):
    for name in machines.names:
        machines.give(name, block("packages"))
    said = machines.give("server", block("server"))
    fingerprint = re.search(r"\b[0-9a-f]{64}\b", said)[0]
    answers = lambda: machines.ask("server", "signfed federation list ~/fed")  # noqa: E731
    until(lambda: answers()["superlink"] == "answers", "the SuperLink")
    assert answers()["fingerprint"] == fingerprint
    machines.give("server", block("firewall"))

    joins(machines, "device-0", "pi-1", block("approve"))
    second = block("approve", pi_1="pi-2").replace("--partition 0", "--partition 1")
    joins(machines, "device-1", "pi-2", second)
    online(machines, ["pi-1", "pi-2"])
    machines.give("server", 'test "$(ls ~/fed/nodes)" != ""')
    rounds = run(machines, "first", 2)
    assert [line["received"] for line in rounds] == [2, 2, 2]

    machines.give("device-2", block("request", pi_1="pi-3"))
    changed = machines.give("server", block("change"))  # adds pi-3, removes pi-1, rotates all
    assert "pi-3" in changed
    machines.give("device-2", told(machines, block("install", pi_1="pi-3")))
    shown = answers()
    assert shown["fingerprint"] != fingerprint  # rotate --authority: the new bundles say it
    assert [node["name"] for node in shown["nodes"]] == ["pi-2", "pi-3"]

    machines.give("device-0", block("again"))
    machines.give("server", "signfed federation add ~/fed ~/pi-1-again.csr")
    again = block("install", pi_1="pi-1-again").replace(
        "node install", "node install --home ~/.signfed/node-2"
    )
    again = again.replace("doctor", "doctor --home ~/.signfed/node-2")
    machines.give("device-0", told(machines, again))
    online(machines, ["pi-1-again", "pi-2", "pi-3"])
    assert [line["received"] for line in run(machines, "second", 3)] == [3, 3, 3]

    machines.give("server", block("revoke"))
    until(lambda: answers()["superlink"] == "answers", "the SuperLink again")
    machines.give("device-1", told(machines, block("trust")))
    machines.give("device-2", told(machines, block("trust", pi_2="pi-3")))
    first = block("trust", pi_2="pi-1-again").replace("--new-", "--home ~/.signfed/node-2 --new-")
    machines.give("device-0", told(machines, first))
    online(machines, ["pi-1-again", "pi-2", "pi-3"])
    machines.give("server", block("upgrade the server"))
    until(lambda: answers()["superlink"] == "answers", "the SuperLink, upgraded")
    machines.give("device-1", block("upgrade a device"))
    online(machines, ["pi-1-again", "pi-2", "pi-3"])
    assert [line["received"] for line in run(machines, "third", 3)] == [3, 3, 3]
    assert NAME in answers()["address"]
