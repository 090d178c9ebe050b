import pytest

from strategies.transport.roster import ClaimRefused, Roster


def test_partition_p_of_P_hosts_every_Pth_worker():
    roster = Roster(7)
    assert roster.unclaimed() == [0, 1, 2, 3, 4, 5, 6]
    assert roster.claim(50, 1, 3, connected=()) == (1, 4)
    assert roster.unclaimed() == [0, 2, 3, 5, 6]
    assert roster.claim(40, 0, 3, connected=()) == (0, 3, 6)
    assert roster.claim(60, 2, 3, connected=()) == (2, 5)
    assert roster.unclaimed() == []
    assert roster.items() == [(50, (1, 4)), (40, (0, 3, 6)), (60, (2, 5))]


def test_a_node_beyond_the_workers_hosts_none():
    roster = Roster(2)
    assert roster.claim(9, 2, 3, connected=()) == ()
    assert roster.items() == [] and roster.unclaimed() == [0, 1]


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
    before = roster.items(), roster.unclaimed()
    with pytest.raises(ClaimRefused, match="already belong to another node"):
        roster.claim(node, partition, num_partitions, connected={1, 2})
    assert (roster.items(), roster.unclaimed()) == before
    assert roster.claim(3, 1, 2, connected={1, 3}) == (1, 3, 5)


@pytest.mark.parametrize("partition, num_partitions", [(3, 3), (-1, 3), (0, 0), (0, -2), (-3, -2)])
def test_impossible_partitions_are_refused(partition, num_partitions):
    roster = Roster(6)
    with pytest.raises(ClaimRefused, match="expected 0 <= partition-id < num-partitions"):
        roster.claim(1, partition, num_partitions, connected={1})
    assert roster.items() == [] and roster.unclaimed() == [0, 1, 2, 3, 4, 5]
