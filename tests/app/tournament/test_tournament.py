"""The tournament: what submissions may not do, what they get, what counts, and what goes on."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import pytest
from typer.testing import CliRunner

from signfed.app.cli import app
from signfed.app.errors import ConfigError
from signfed.app.tournament import entries, frames, hold, page, standings
from signfed.app.tournament.entries import Entry, entries_of
from signfed.app.tournament.fence import Limits
from signfed.app.tournament.guest import loaded
from signfed.app.tournament.host import Host, Lost
from signfed.app.tournament.match import Game, Match, play
from signfed.app.tournament.remote import RemoteRule, derived, remote_attack
from signfed.attacks import Past, View
from signfed.attacks.poisoned_fl import poisoned_fl
from signfed.attacks.stochastic_sign_flip import stochastic_sign_flip
from tests.waiting import GUARD

GARBAGE = """
    for fd in range(3, 60):
        try:
            os.write(fd, b"\\xff" * 100)
        except OSError:
            pass
    time.sleep(9)
"""
LIMITS = Limits(seconds=GUARD, megabytes=256)
RULE = "from signfed import RobustStrategy\nclass Mine(RobustStrategy):\n    {}\n"
AGGREGATE = "def aggregate(self, updates):\n        {}"
ATTACK = """
import os, socket, time, ctypes
import numpy as np
import signfed
@signfed.attack(knowledge={knowledge!r}, stage="gradient")
def mine(view):
    {body}
"""


def rule_of(body, before=""):
    return Entry("rule", "mine", RULE.format(before + AGGREGATE.format(body)))


def attack_of(body, knowledge="own"):
    return Entry("attack", "mine", ATTACK.format(knowledge=knowledge, body=body))


def a_view(**more):
    own = np.float32([[1, -2, 3], [4, -5, 6]])
    generators = tuple(np.random.default_rng([7, i]) for i in range(2))
    return View(own, generators, 5, server_round=2, **more)


@contextmanager
def attacking(entry, limits=LIMITS):
    with Host(entry, limits) as host:
        yield remote_attack(host)


@pytest.mark.parametrize(
    "body, reason",
    [
        ("raise KeyError('x')", r"KeyError: 'x' \(mine.py, line 7\)"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("os._exit(3)", "ended with exit code 3"),
        ("ctypes.string_at(0)", "ended by SIGSEGV"),
        ("return view.own[:, :2]", "expected an array of real numbers of shape"),
        ("return 'rows'", "expected an array of real numbers"),
        ("return view.own * np.nan", "NaN or infinity"),
        ("return view.honest", "KnowledgeError"),
        ("return view.own + np.ones(1 << 27).sum()", "MemoryError"),
        (GARBAGE, "no frame: expected at most"),
    ],
)
def test_an_attack_loses_by(body, reason):
    with attacking(attack_of(body)) as attack, pytest.raises(Lost, match=reason) as lost:
        attack(a_view())
    assert lost.value.entry.kind == "attack"


@pytest.mark.parametrize(
    "body, limits, reason",
    [
        ("time.sleep(100)", Limits(5.0), "took more than 5 s"),
        ("while True: os.fork()", LIMITS, "processes|Resource"),
    ],
)
def test_what_would_not_end_is_ended(body, limits, reason):
    with pytest.raises(Lost, match=reason), attacking(attack_of(body), limits) as attack:
        attack(a_view())


def test_loading_takes_of_its_time():
    endless = Entry("rule", "mine", "import time\ntime.sleep(1000)")
    with Host(endless, Limits(1.0)) as host, pytest.raises(Lost, match="took more than 1 s"):
        RemoteRule(host, 1, 0, 3, 10, 5)
    assert host.seconds >= 1.0


class Says:
    """A process that answers with what it was given."""

    entry = Entry("attack", "mine")

    def __init__(self, said, **arrays):
        self.answer, self.asked = (said, arrays), []

    def ask(self, said, arrays):
        self.asked.append(said)
        return self.answer


PLAIN = {"knowledge": "own", "stage": "gradient", "truth": False, "past": False, "rule": False}


@pytest.mark.parametrize(
    "asks", [{}, PLAIN | {"knowledge": ["own"]}, PLAIN | {"knowledge": "?"}, PLAIN | {"stage": {}}]
)
def test_an_attack_that_declares_nonsense_loses(asks):
    with pytest.raises(Lost):
        remote_attack(Says(asks))


def test_what_colluders_share_is_not_the_seed_of_the_training():
    """The run's own is (see `Past.secret`): with it goes the order in which rules see numbers."""
    host = Says(PLAIN | {"past": True})
    attack = remote_attack(host)
    for _ in range(2):
        host.answer = {}, {"rows": np.ones((2, 3), np.float32)}
        attack(a_view(past=Past.first(np.zeros(3, np.float32), secret=1234)))
    shared = {said["secret"] for said in host.asked[1:]}
    assert len(shared) == 1 and shared != {1234} and 1234 not in map(derived, shared, ["order"])


def test_rows_that_are_no_float32_lose():
    attack = remote_attack(Says(PLAIN, rows=np.ones((2, 3), bool)))
    with pytest.raises(Lost, match="bool"):
        attack(a_view())


@pytest.mark.parametrize(
    "entry, reason",
    [
        (Entry("attack", "mine", "def (:"), r"SyntaxError: invalid syntax \(mine.py, line 1\)"),
        (Entry("attack", "mine", "import signfed"), "found none"),
        (attack_of("return view.own", "server"), "more than can be known here"),
        (attack_of("return view.own", "all"), "knowledge must be one of"),
    ],
)
def test_an_attack_that_cannot_play(entry, reason):
    with pytest.raises(Lost, match=reason), attacking(entry):
        pass


@pytest.mark.parametrize(
    "entry, reason",
    [
        (rule_of("return updates.dense()[0, :2]"), r"got shape \(2,\)"),
        (rule_of("return updates.dense()[0] * float('nan')"), "NaN or infinity"),
        (rule_of("return None"), "got NoneType"),
        (rule_of("return 0", "encoder = 'top-k'\n    "), "not played here"),
        (rule_of("return 0", "encoder = ['float32']\n    "), r"\['float32'\] or"),
        (rule_of("return 0", "def admissible(self, n):\n        return 'few'\n    "), "few"),
    ],
)
def test_a_rule_loses_by(entry, reason):
    with Host(entry, LIMITS) as host, pytest.raises(Lost, match=reason):
        RemoteRule(host, 1, 0, 3, 10, 5)(np.float32([[1, -2, 3], [4, -5, 6], [7, 8, 9]]))


def test_what_a_submission_can_reach():
    """Each entry of the row is 1 where the fence holds; the test's own process stands outside."""
    body = f"""
    found = np.ones_like(view.own)
    try:
        socket.create_connection(("127.0.0.1", PORT), 1); found[:, 0] = 0
    except OSError:
        pass
    try:
        os.kill({os.getpid()}, 0); found[:, 1] = 0
    except OSError:
        pass
    try:
        open("mine", "wb").write(b"x" * (3 << 20)); found[:, 2] = 0
    except OSError:
        pass
    return found
    """.strip()
    with socket.create_server(("127.0.0.1", 0)) as server:
        entry = attack_of(body.replace("PORT", str(server.getsockname()[1])))
        with Host(entry, LIMITS) as host:
            row = remote_attack(host)(a_view())[0]
            fences = host.fences
    assert fences["memory"] and row[2] == 1
    if sys.platform == "linux" and fences["network"]:
        assert row.tolist() == [1, 1, 1] and fences["neighbours"]


def test_a_submission_writes_in_its_own_folder_only(tmp_path):
    """A line in the journal of results would count as a match; a deleted file would be gone."""
    body = f"""
    done = 0
    for change in (
        lambda: open("{tmp_path}/journal", "a").write("forged"),
        lambda: os.truncate("{tmp_path}/journal", 0),
        lambda: os.remove("{tmp_path}/journal"),
        lambda: os.rename("mine", "{tmp_path}/journal"),
        lambda: os.mkdir("{tmp_path}/more"),
        lambda: os.symlink("/", "{tmp_path}/link"),
    ):
        open("mine", "w").write("here it may")
        try:
            change(); done += 1
        except OSError:
            pass
    open("/dev/null", "w").write("and here")
    return view.own * 0 + done
    """.strip()
    (tmp_path / "journal").write_text("played\n")
    with Host(attack_of(body), LIMITS) as host:
        rows = remote_attack(host)(a_view())
        if not host.fences["files"]:
            pytest.skip("needs Landlock, Linux 6.2")
    assert np.unique(rows).tolist() == [0]
    assert [each.name for each in tmp_path.iterdir()] == ["journal"]
    assert (tmp_path / "journal").read_text() == "played\n"


@pytest.mark.parametrize("up, says", [(True, "can read every"), (False, "read, change and delete")])
def test_the_page_says_what_submissions_can_do_to_files(up, says):
    row = {"rule": "mine", "attack": "none", "fences": {"files": up}}
    found = {"game": {"limits": asdict(LIMITS)}, "matches": [row], "versions": {}}
    assert says in " ".join(page._how(found))


def test_a_submission_holds_one_descriptor_its_line():
    """A byte to one that was inherited would end the server that forks all processes."""
    body = """
    number = 0
    for fd in range(3, 1000):
        try:
            os.fstat(fd); number += 1
        except OSError:
            pass
    return view.own * 0 + number
    """.strip()
    with attacking(attack_of(body)) as attack:
        assert np.unique(attack(a_view())).tolist() == [1]


def test_the_environment_s_secrets_stay_out(monkeypatch):
    monkeypatch.setenv("SIGNFED_SECRET", "key")
    body = "assert 'SIGNFED_SECRET' not in open('/proc/self/environ').read(); return view.own"
    if sys.platform == "linux":
        with attacking(attack_of(body)) as attack:
            assert np.array_equal(attack(a_view()), a_view().own)


@pytest.mark.parametrize(
    "local, imported, past",
    [
        (stochastic_sign_flip, "signfed.attacks.stochastic_sign_flip", False),
        (poisoned_fl, "signfed.attacks.poisoned_fl", True),
    ],
)
def test_a_remote_attack_sends_what_it_would_send_here(local, imported, past):
    """Generators, the model and what it keeps arrive; what it keeps comes back."""
    name = local.function.__name__
    source = (
        f"import signfed\nfrom {imported} import {name}\n"
        f"@signfed.attack(knowledge={local.knowledge!r}, stage={local.stage!r}, past={past})\n"
        f"def mine(view):\n    return {name}.function(view, **{name}.arguments)\n"
    )
    here, there = {}, {}
    with attacking(Entry("attack", "mine", source)) as remote:
        for _ in range(3):
            rows = []
            for attack, memory, secret in (
                (local.bind(**local.arguments), here, derived(5, "colluders")),
                (remote, there, 5),
            ):
                model = np.float32([1, 2, 3])
                view = a_view(past=Past(model, model / 7, memory, secret) if past else None)
                rows.append(attack(view))
            assert rows[0].tobytes() == rows[1].tobytes()
    assert bool(here) == past and sorted(here) == sorted(there)
    assert all(np.array_equal(here[key], there[key]) for key in here)


def test_a_copy_of_a_rule_plays_as_the_rule():
    """Packed signs, weights by worker and a state between rounds, on the wire and back."""
    copy = Entry("rule", "mine", "from signfed import SignFD\nclass Mine(SignFD):\n    pass\n")
    attack, game = Entry("attack", "trusted-bloc"), Game(num_rounds=4, limits=LIMITS)
    theirs, ours = (play(Match(e, attack, 3, game), 0) for e in (copy, Entry("rule", "sign-fd")))
    assert theirs["accuracy"] == ours["accuracy"] > 0.2 and not theirs["reason"]
    assert theirs["key"] != ours["key"] and "rule_seconds" not in ours


ALONE = """
from signfed import RobustStrategy
from signfed.app.config.run_config import parse
from signfed.app.task import find_task

class Mine(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        if updates.server_round > 1:
            return updates.dense()[0] * 0
        workload = parse({"task": "digits", "seed": 0, "device": "cpu"}).workload
        problem = find_task("digits").problem(workload)
        model = problem.initial().numpy()
        for _ in range(60):
            model = model - 0.5 * problem.truth(model)
        return -4 * model / 0.1  # far beyond the start, which it may not know
"""


def test_a_rule_that_trains_by_itself_does_not_know_where_its_numbers_belong():
    rule, game = Entry("rule", "alone", ALONE), Game(num_rounds=2, limits=Limits(GUARD))
    found = play(Match(rule, Entry("attack", "none"), 3, game), 5)
    assert not found["reason"] and found["accuracy"] < 0.4


@pytest.mark.parametrize(
    "body",
    [b"", b"\0\0\0\x05{", b"\0\0\0\x02{}", b"\xff\xff\xff\xff",
     frames.HEADER.pack(46) + b'{"said": {}, "arrays": [["a", "object", [1]]]}',
     frames.HEADER.pack(48) + b'{"said": {}, "arrays": [["a", "float32", [-1]]]}',
     frames.HEADER.pack(52) + b'{"said": {}, "arrays": [["a", "float32", [9999999]]]}',
     frames.pack({}, {})[8:] + b"x"],
)  # fmt: skip
def test_bytes_that_are_no_frame(body):
    with pytest.raises(ValueError, match="no frame"):
        frames.unpack(body)


def test_arrays_come_back_as_they_were():
    arrays = {"a": np.float32([[1, -0.0]]), "b": np.array([True]), "c": np.empty((0, 3), np.int64)}
    _, found = frames.unpack(frames.pack({}, arrays)[8:])
    assert {n: (a.dtype, a.shape, a.tobytes()) for n, a in arrays.items()} == {
        n: (a.dtype, a.shape, a.tobytes()) for n, a in found.items()
    }
    with pytest.raises(ValueError, match="numbers"):
        frames.pack({}, {"a": np.array([None])})


def result(rule, attack, accuracy, lost_by=None, f=3):
    return {"rule": rule, "attack": attack, "f": f, "accuracy": accuracy, "lost_by": lost_by}


def test_ranks_by_hand():
    rows = standings.scored([
        result("a", "none", 0.9), result("a", "x", 0.5), result("a", "y", 0.8),
        result("b", "none", 0.8), result("b", "x", None, "rule"), result("b", "y", None, "attack"),
        result("c", "none", None, "rule"), result("c", "x", None, "rule"),
        result("c", "y", None, "rule"),
    ])  # fmt: skip
    rules = {row["rule"]: row for row in standings.rules(rows)}
    assert [rules[name]["place"] for name in "abc"] == [1, 2, 3]
    assert (rules["a"]["worst"], rules["a"]["under"]) == (0.5, "x")
    # y's own fault: b counts as without an attack. x broke b, which stands without: all of it.
    assert rules["b"]["mean"] == pytest.approx((0.8 + 0.0 + 0.8) / 3)
    attacks = {row["attack"]: row for row in standings.attacks(rows)}
    assert attacks["x"]["mean"] == pytest.approx((0.4 + 0.8) / 2)  # c falls by itself
    assert attacks["y"]["mean"] == pytest.approx((0.1 + 0.0) / 2)
    assert (attacks["x"]["against"], attacks["y"]["lost"], "none" in attacks) == ("b", 1, False)


@pytest.fixture
def room(tmp_path):
    for below in ("rules", "attacks"):
        (tmp_path / below).mkdir()
    (tmp_path / "rules" / "mine.py").write_text(rule_of("return updates.dense()[0]").source)
    (tmp_path / "attacks" / "mine.py").write_text("raise SystemExit  # nothing is imported here")
    return tmp_path


def test_files_are_submissions(room):
    found = entries_of(room)
    assert [e.name for e in found["rule"]] == [*entries.BASELINES["rule"], "mine"]
    assert [e.name for e in found["attack"]] == [*entries.BASELINES["attack"], "mine"]
    (room / "rules" / "sign-mv.py").write_text("")
    with pytest.raises(ConfigError, match="expected a name"):
        entries_of(room)
    (room / "rules" / "sign-mv.py").rename(room / "rules" / "median.py")
    with pytest.raises(ConfigError, match="rename the file"):
        entries_of(room)
    with pytest.raises(ConfigError, match="expected submissions as rules/"):
        entries_of(room / "rules")


def test_one_of_its_kind_in_a_file():
    two = "from signfed import SignMV\nclass A(SignMV): pass\nclass B(SignMV): pass\n"
    with pytest.raises(ValueError, match="found A, B"):
        loaded(Entry("rule", "mine", two))
    again = "from signfed import SignMV\nclass A(SignMV): pass\nB = A\n"  # what it imports is not
    assert loaded(Entry("rule", "mine", again)).__name__ == "A"


def test_what_was_played_is_not_played_again(room, monkeypatch):
    played = []

    def fake(match, secret):
        played.append(match.names)
        return {**match.names, "accuracy": 0.5, "lost_by": None, "reason": "", "key": match.key}

    monkeypatch.setattr(hold, "play", fake)
    matches = hold.matches_of(room, [3, 6], Game())
    hold.hold(matches[:10], room)
    with (room / hold.JOURNAL).open("a") as journal:
        journal.write('{"rule": "si')  # it was killed here
    found = hold.hold(matches, room)
    assert len(played) == len(matches) == len(found["matches"]) == 4 * 5 * 2
    assert hold.hold(matches, room) == found and len(played) == len(matches)
    (room / "rules" / "mine.py").write_text(rule_of("return updates.dense()[1]").source)
    hold.hold(hold.matches_of(room, [3, 6], Game()), room)
    again = played[len(matches) :]
    assert len(again) == 10 and {each["rule"] for each in again} == {"mine"}
    hold.hold(hold.matches_of(room, [3], Game(seed=1)), room)
    assert len(played) == len(matches) + 10 + 20


@pytest.mark.parametrize("byzantine", ["0", "8", "3,x", ""])
def test_numbers_that_cannot_be_played(room, byzantine):
    done = CliRunner().invoke(app, ["tournament", str(room), "--byzantine", byzantine])
    assert done.exit_code == 2 and "expected" in done.output and not (room / "results").exists()


def test_results_that_cannot_be_written(room):
    (room / "file").write_text("")
    for place in ("file", "file/in"):
        done = CliRunner().invoke(app, ["tournament", str(room), "--out", str(room / place)])
        assert done.exit_code == 2 and "file" in done.output and "Traceback" not in done.output


def test_the_command(room, monkeypatch):
    monkeypatch.setitem(entries.BASELINES, "rule", ("sign-mv",))
    monkeypatch.setitem(entries.BASELINES, "attack", ("none",))
    given = ["tournament", str(room), "--byzantine", "3", "--rounds", "2"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert done.output.count("attack mine lost: SystemExit (mine.py, line 1)") == 1
    found = json.loads((room / "results" / "tournament.json").read_text())
    assert [row["rule"] for row in found["rules"]] and len(found["matches"]) == 4
    assert {row["lost_by"] for row in found["matches"]} == {None, "attack"}
    page = (room / "results" / "tournament.html").read_text()
    assert "SystemExit (mine.py, line 1)" in page and "sign-mv (signfed)" in page
    assert "http" not in page
    rules = (room / "results" / "tournament" / "rules.csv").read_text().splitlines()
    assert rules[0].startswith("place,rule,worst") and len(rules) == 3
