"""A node speaks for the partition of its key, whatever it says."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from flwr.app import ConfigRecord
from flwr.proto.node_pb2 import NodeInfo

from signfed.app.client_app import app as client_app
from signfed.app.errors import ConfigError
from signfed.app.federation import admission, files, nodes
from signfed.app.federation.admission import VARIABLE, Admission, roster_folder
from signfed.app.server_app import run
from signfed.strategies.mean import Mean
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport.reception import Reception
from signfed.strategies.server.transport.sampling import Nodes
from tests.federation import config_for
from tests.grid import InProcessGrid
from tests.strategies.server.drop_in.app import client, floats


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


def real_grid(app, nodes, config=None):
    """Nodes that are devices, as a server takes them: it asks which kind of grid it has."""
    from flwr.superlink.grid import HttpGrid

    class Real(Keyed, HttpGrid):
        pass

    return Real(app, nodes, config)


def test_the_server_app_holds_real_nodes_to_the_roster(fed, keyed, config, tmp_path):
    grid = real_grid(client_app, 2, config)
    grid.keys = {100: keyed[100], 101: b"another"}
    for context in grid._contexts.values():
        context.node_config["num-partitions"] = 1000
    short = {"roster": str(fed / "nodes"), "node-timeout": 0.2, "quorum": 1.0}
    with pytest.raises(FederationError, match=r"workers \[1\] have none"):
        run(grid, config | short)


def test_simulated_nodes_have_no_keys(config, fed):
    with pytest.raises(ConfigError, match="roster: expected none"):
        run(InProcessGrid(client_app, 2, config), config | {"roster": str(fed / "nodes")})


@pytest.fixture
def three(fed, site, control):
    """Someone's own Flower app on three nodes; the keys' partitions are 2, 0 and 1."""
    for name, partition in (("pi-1", 2), ("pi-2", 0), ("pi-3", 1)):
        site(name).approved(fed, partition=partition)
    grid = real_grid(client(), 3)
    grid.keys = {100 + i: node.public_key for i, node in enumerate(control.nodes)}
    return grid


def begun(grid, **options):
    """A strategy in someone's own app, and whom its first round asks."""
    strategy = Mean(node_timeout=0.2, fraction_evaluate=0.0, **options)
    requests = strategy.configure_train(1, floats(), ConfigRecord(), grid)
    return strategy._drop_in, [request.metadata.dst_node_id for request in requests]


@pytest.mark.parametrize("named_by", ["option", "SuperLink"])
def test_a_worker_of_someones_own_app_is_its_keys_partition(fed, three, named_by, monkeypatch):
    """Whatever its node config says: the number by which a rule knows it is not its own word."""
    for context in three._contexts.values():
        context.node_config["partition-id"] = 0  # all three want to be the same
    options = {"roster": str(fed / "nodes")} if named_by == "option" else {}
    if named_by == "SuperLink":
        monkeypatch.setenv(VARIABLE, str(fed / "nodes"))
    drop_in, asked = begun(three, **options)
    assert asked == [100, 101, 102]
    assert drop_in.attendance.numbers == {100: 2, 101: 0, 102: 1}


def test_someones_own_app_asks_no_node_outside_the_roster(fed, three, caplog):
    three.keys = three.keys | {101: b"a stranger's"}
    _, asked = begun(three, roster=str(fed / "nodes"))
    assert asked == [100, 102] and "node 101 takes no part" in caplog.text


def test_a_node_that_is_removed_leaves_someones_own_app(fed, three):
    drop_in, _ = begun(three, roster=str(fed / "nodes"))
    nodes.remove(fed, "pi-2")
    drop_in.configure_train(2, floats(), ConfigRecord())
    assert set(drop_in.link.asked) == {100, 102}


def test_a_device_with_a_new_key_has_no_new_name(fed, three, site, control):
    """What a rule remembers of partition 0 is not forgotten for a new key."""
    drop_in, _ = begun(three, roster=str(fed / "nodes"))
    nodes.remove(fed, "pi-2")
    site("pi-2-again").approved(fed, partition=0)
    three._contexts[103] = three._contexts.pop(101)
    three.keys = three.keys | {103: control.nodes[3].public_key}
    drop_in.configure_train(2, floats(), ConfigRecord())
    assert drop_in.attendance.numbers[103] == 0
    state = drop_in.attendance.state_dict()
    again = Nodes(drop_in.options, Admission(fed / "nodes"))
    again.gather(three, state)
    assert again.numbers == drop_in.attendance.numbers and again.numbers[103] == 0


def test_a_resumed_run_knows_its_workers_where_partitions_are_missing(fed, three):
    nodes.remove(fed, "pi-2")
    drop_in, _ = begun(three, roster=str(fed / "nodes"))
    state = drop_in.attendance.state_dict()
    assert [state[n].tolist() for n in ("workers", "nodes", "next")] == [[1, 2], [102, 100], 3]
    again = Nodes(drop_in.options, Admission(fed / "nodes"))
    again.gather(three, state)
    assert again.numbers == {102: 1, 100: 2}


def test_a_run_that_names_a_roster_is_refused_where_there_is_none(fed, three):
    with pytest.raises(ValueError, match="roster: "):
        begun(three, roster=str(fed / "nothing"))
    with pytest.raises(ValueError, match="roster: expected none for a simulation"):
        begun(InProcessGrid(client(), 2), roster=str(fed / "nodes"))


def test_a_simulation_in_a_superlinks_environment_has_no_roster(fed, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(fed / "nodes"))
    assert len(begun(InProcessGrid(client(), 2))[1]) == 2
