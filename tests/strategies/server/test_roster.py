import pytest
import torch

from signfed.strategies.server.transport.roster import ClaimRefused, Roster, WorkersTaken


def test_partition_p_of_P_hosts_every_Pth_worker():
    roster = Roster(7)
    nodes = {40, 50, 60}
    assert roster.absent(nodes) == [0, 1, 2, 3, 4, 5, 6]
    assert roster.claim(50, 1, 3, connected=()) == (1, 4)
    assert roster.absent(nodes) == [0, 2, 3, 5, 6]
    assert roster.claim(40, 0, 3, connected=()) == (0, 3, 6)
    assert roster.claim(60, 2, 3, connected=()) == (2, 5)
    assert roster.absent(nodes) == [] and roster.absent({40, 60}) == [1, 4]
    assert roster.items() == [(50, (1, 4)), (40, (0, 3, 6)), (60, (2, 5))]


def test_a_node_beyond_the_workers_hosts_none():
    roster = Roster(2)
    assert roster.claim(9, 2, 3, connected=()) == ()
    assert roster.items() == [] and roster.absent({9}) == [0, 1]


@pytest.mark.parametrize(
    "node, partition, num_partitions",
    [
        pytest.param(2, 0, 2, id="all of them taken"),
        pytest.param(2, 1, 3, id="some taken, worker 1 free"),
        pytest.param(2, 0, 1, id="everything, its own share too"),
    ],
)
def test_a_taken_worker_costs_the_whole_claim(node, partition, num_partitions):
    roster = Roster(6)
    roster.claim(1, 0, 2, connected={1})
    before = roster.items(), roster.absent({1, 2})
    with pytest.raises(ClaimRefused, match="already belong to another node"):
        roster.claim(node, partition, num_partitions, connected={1, 2})
    assert (roster.items(), roster.absent({1, 2})) == before
    assert roster.claim(3, 1, 2, connected={1, 3}) == (1, 3, 5)


@pytest.mark.parametrize("partition, num_partitions", [(3, 3), (-1, 3), (0, 0), (0, -2), (-3, -2)])
def test_impossible_partitions_are_refused(partition, num_partitions):
    roster = Roster(6)
    with pytest.raises(ClaimRefused, match="expected 0 <= partition-id < num-partitions"):
        roster.claim(1, partition, num_partitions, connected={1})
    assert roster.items() == [] and roster.absent({1}) == [0, 1, 2, 3, 4, 5]


def test_a_claim_waits_until_the_node_that_has_the_workers_is_gone():
    roster = Roster(6)
    roster.claim(1, 0, 2, connected={1})
    with pytest.raises(WorkersTaken):
        roster.claim(2, 0, 2, connected={1, 2})
    assert roster.claim(2, 0, 2, connected={2}) == (0, 2, 4)
    assert roster.items() == [(2, (0, 2, 4))]


def test_bindings_survive_and_a_node_may_claim_what_it_has():
    """Until it has, it hosts nothing: what it is now is not known."""
    roster, later = Roster(5), Roster(5)
    roster.claim(2**64 - 1, 0, 2, connected=())  # Flower's node ids are unsigned
    roster.claim(7, 1, 2, connected=())
    later.load_state_dict(roster.state_dict())
    assert later.items() == [] and later.absent({7, 2**64 - 1}) == [0, 1, 2, 3, 4]
    assert torch.equal(later.state_dict()["nodes"], roster.state_dict()["nodes"])
    with pytest.raises(WorkersTaken):
        later.claim(9, 1, 2, connected={7, 9})
    assert later.claim(7, 1, 2, connected={7, 9}) == (1, 3)
    assert later.absent({7}) == [0, 2, 4]  # the other is not there


def test_two_nodes_may_have_changed_places_between_two_runs():
    roster, later = Roster(4), Roster(4)
    roster.claim(1, 0, 2, connected={1, 2})
    roster.claim(2, 1, 2, connected={1, 2})
    later.load_state_dict(roster.state_dict())
    with pytest.raises(WorkersTaken):
        later.claim(1, 1, 2, connected={1, 2})
    assert later.claim(2, 0, 2, connected={1, 2}) == (0, 2)
    assert later.claim(1, 1, 2, connected={1, 2}) == (1, 3)
    assert later.absent({1, 2}) == []
