"""A node speaks for the partition of its key, whatever it says."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from flwr.proto.node_pb2 import NodeInfo

from signfed.app.client_app import app as client_app
from signfed.app.errors import ConfigError
from signfed.app.federation import admission, files, nodes
from signfed.app.federation.admission import VARIABLE, Admission, roster_folder
from signfed.app.server_app import run
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport.reception import Reception
from tests.federation import config_for
from tests.grid import InProcessGrid


class Keyed(InProcessGrid):
    """Nodes with keys, as the SuperLink tells them to the ServerApp."""

    keys: ClassVar[dict[int, bytes]] = {}

    def get_nodes(self):
        return [
            NodeInfo(node_id=node, public_key=self.keys.get(node, b"none"))
            for node in self.get_node_ids()
        ]


@pytest.fixture
def keyed(fed, site, control):
    """Two nodes of the grid whose keys are approved for the partitions 0 and 1, in this order."""
    site("pi-1").approved(fed)
    site("pi-2").approved(fed)
    return {100 + i: node.public_key for i, node in enumerate(control.nodes)}


def grid_of(keys, config, count=2):
    grid = Keyed(client_app, count, config)
    for context in grid._contexts.values():
        context.node_config["num-partitions"] = 1000
    grid.keys = keys
    return grid


def reception(fed, grid, num_workers=2):
    found = Reception(num_workers, 5.0, admit=Admission(fed / "nodes"))
    for _ in range(3):
        found.look(grid)
    return found


@pytest.fixture
def config(tmp_path):
    config = config_for(tmp_path / "run", {"num-workers": 2, "num-byzantine": 0})
    config["attack"] = "none"
    return config


def test_nodes_that_say_what_is_approved_take_part(fed, keyed, config):
    assert reception(fed, grid_of(keyed, config)).present() == {100: (0,), 101: (1,)}


def test_a_node_with_anothers_partition_takes_no_part(fed, keyed, config, caplog):
    """Its key is registered: it may be there, but not speak for another's workers."""
    grid = grid_of(keyed, config)
    grid._contexts[101].node_config["partition-id"] = 0
    assert reception(fed, grid).present() == {100: (0,)}
    assert "claims partition 0 of 1000, its key is approved for 1 of 1000" in caplog.text


def test_another_number_of_partitions_is_anothers_workers(fed, keyed, config):
    """Partition 1 of 1 would host every worker."""
    grid = grid_of(keyed, config)
    grid._contexts[100].node_config["num-partitions"] = 1
    assert reception(fed, grid).present() == {101: (1,)}


def test_a_key_outside_the_roster_is_not_spoken_to(fed, keyed, config, caplog):
    grid = grid_of(keyed | {101: keyed[100].replace(b"A", b"B", 3)}, config)
    found = reception(fed, grid)
    assert found.present() == {100: (0,)}
    assert caplog.text.count("node 101 takes no part") == 1  # once, not at every look


def test_a_node_that_is_removed_is_out_at_the_next_look(fed, keyed, config):
    grid = grid_of(keyed, config)
    found = reception(fed, grid)
    nodes.remove(fed, "pi-1")
    found.look(grid)
    assert found.present() == {101: (1,)} and found.hosts([0, 1]) == {101: (1,)}


def test_a_node_that_is_approved_joins(fed, keyed, config, site, control):
    grid = grid_of(keyed, config, count=3)
    found = reception(fed, grid, num_workers=3)
    assert set(found.present()) == {100, 101}
    site("pi-3").approved(fed)
    grid.keys = keyed | {102: control.nodes[2].public_key}
    for _ in range(3):
        found.look(grid)
    assert found.present()[102] == (2,)


def test_a_node_takes_part_until_it_expires(fed, keyed, config, monkeypatch, caplog):
    grid = grid_of(keyed, config)
    found = reception(fed, grid)
    later = files.now() + timedelta(days=366)
    monkeypatch.setattr(admission, "now", lambda: later)
    found.look(grid)
    assert found.present() == {} and "expired" in caplog.text


def test_a_roster_that_breaks_during_a_run_stays_as_it_was(fed, keyed, config, caplog):
    grid = grid_of(keyed, config)
    admit = Admission(fed / "nodes")
    (fed / "nodes" / "pi-1.json").write_text("{")
    assert set(admit(grid)) == {100, 101} and "stays in force" in caplog.text


@pytest.mark.parametrize("broken", ["gone", "empty file"])
def test_a_roster_that_cannot_be_read_is_refused_before_the_start(fed, keyed, broken):
    folder = fed / "nodes"
    if broken == "gone":
        folder = fed / "nothing"
    else:
        (folder / "pi-1.json").write_text("")
    with pytest.raises(ConfigError, match="roster: "):
        Admission(folder)


def test_the_superlinks_environment_names_the_roster_where_the_run_does_not(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert roster_folder("") is None
    monkeypatch.setenv(VARIABLE, "/federation/nodes")
    assert str(roster_folder("")) == "/federation/nodes"
    assert str(roster_folder("/other")) == "/other"


def test_the_server_app_holds_real_nodes_to_the_roster(fed, keyed, config, tmp_path):
    from flwr.superlink.grid import HttpGrid

    class Real(Keyed, HttpGrid):
        pass

    grid = Real(client_app, 2, config)
    grid.keys = {100: keyed[100], 101: b"another"}
    for context in grid._contexts.values():
        context.node_config["num-partitions"] = 1000
    short = {"roster": str(fed / "nodes"), "node-timeout": 0.2, "quorum": 1.0}
    with pytest.raises(FederationError, match=r"workers \[1\] have none"):
        run(grid, config | short)


def test_simulated_nodes_have_no_keys(config, fed):
    with pytest.raises(ConfigError, match="roster: expected none"):
        run(InProcessGrid(client_app, 2, config), config | {"roster": str(fed / "nodes")})
