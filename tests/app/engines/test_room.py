"""What fits into a GPU's memory, counted without one."""

import sys
from types import SimpleNamespace

import pytest
import torch

from signfed.app.config.run_config import build_strategy, parse
from signfed.app.config.simulation import Simulation
from signfed.app.engines import prepare as prepare_module
from signfed.app.engines.room import Room, check_room, free_and_total, room_of, room_of_node
from signfed.app.errors import ConfigError
from signfed.app.task.card import card_bytes
from signfed.app.task.repeatable import repeatable
from signfed.app.task.shared.graph import KEPT
from tests.strategies.places import NamedElsewhere

RESNET_50 = 25_557_032


class Network:
    """A problem of so many parameters, with batches that keep so much."""

    def __init__(self, n, activations=0, windows=0):
        self.edges = (*range(0, n, n // 20), n)  # twenty tensors
        self._activations, self._windows = activations, windows
        self.device = torch.device("cpu")

    def memory(self, workers):
        return workers * self._activations, 1000

    def windows(self, workers):
        return self._windows


def room(n=1000, activations=0, windows=0, card=80 * 10**9, **keys):
    config = parse({"num-workers": 50, "num-byzantine": 10, "batch-size": 8} | keys)
    network, way = Network(n, activations, windows), config.workload.gradients
    return room_of(config, build_strategy(config), network, way=way, card=card)


def test_sign_rules_fit_where_float_rules_do_not():
    """ResNet-50, 50 workers: 5.1 GB as floats, 0.16 GB as signs."""
    signs = room(RESNET_50, strategy="sign-mv", attack="sign-inversion")
    floats = room(RESNET_50, strategy="median", attack="sign-inversion")
    assert signs.rows == 2 * 50 * -(-RESNET_50 // 8)
    assert floats.rows == 50 * RESNET_50 * (4 + 12)  # sorted: float32 values and int64 places
    assert signs.total < floats.total / 1.5


def test_a_rule_on_floats_unpacks_what_comes_as_signs():
    """`Updates.dense` makes 5.1 GB of 0.16 GB."""
    signs = room(RESNET_50, strategy="multi-krum", encoder="sign", attack="none")
    floats = room(RESNET_50, strategy="multi-krum", attack="none")
    assert signs.rows == floats.rows + 50 * -(-RESNET_50 // 8)
    mixed = room(RESNET_50, strategy="sign-mv", **{"pre-aggregation": "nnm"}, attack="none")
    assert mixed.rows > signs.rows
    floats = room(RESNET_50, strategy="sign-mv", encoder="float32", attack="none")
    assert floats.rows == 50 * RESNET_50 * (4 + 4)


@pytest.mark.parametrize("estimator", ["alg1", "eq17"])
def test_what_sign_fd_counts_by_coordinate_counts(estimator):
    """Of all workers, and once more while it is saved."""
    keys = {"strategy": "sign-fd", "attack": "none", "fraction-train": 0.5}
    plain = room(RESNET_50, **keys).rows
    counts = room(RESNET_50, **keys, **{"sign-fd.estimator": estimator}).rows
    assert counts == plain + 2 * 2 * 50 * RESNET_50
    forgets = {"sign-fd.estimator": estimator, "sign-fd.forget": 0.9}
    assert room(RESNET_50, **keys, **forgets).rows == plain + 2 * 4 * 50 * RESNET_50


def test_the_model_counts_eight_times_beside_the_data():
    assert room(1000).rest == 4 * 8 * 1000 + 1000


def test_what_an_attack_looks_at_counts():
    none = room(card=10**6, strategy="sign-mv", attack="none").gradients
    own = room(card=10**6, strategy="sign-mv", attack="sign-flip").gradients
    everyone = room(card=10**6, strategy="sign-mv", attack="lie").gradients
    decoded = room(card=10**6, strategy="sign-mv", attack="vote-aware").gradients
    assert none < own < decoded and own < everyone
    blocks = 2 * 4 * 50 * 50  # of the largest parameter
    # A graph's matrix and a copy, the honest rows for the attack, and what it sends.
    assert everyone == 4 * (50 * 1000 * 2 + 40 * 1000 + 10 * 1000) + blocks
    # Rows that change batches, or draw, are made of a matrix of all.
    for keys in ({"attack": "label-flip"}, {"encoder": "sto-sign"}, {"worker-momentum": 0.9}):
        assert room(card=10**6, strategy="sign-mv", **keys).gradients >= 2 * 4 * 50 * 1000
    # One that is small beside the card is handed over as it is: a graph's, and a copy.
    small = room(strategy="sign-mv", attack="none").gradients
    assert small - none == 2 * 4 * 50 * 1000


def test_batches_count_and_bfloat16_halves_them():
    full = room(activations=10**6, strategy="mean").activations
    half = room(activations=10**6, strategy="mean", precision="bfloat16").activations
    assert full == 50 * 10**6 and half == pytest.approx(0.6 * full)


def test_windows_of_convolutions_count_where_a_pass_writes_them_down():
    keys = {"activations": 10**6, "strategy": "mean"}
    of = lambda **more: room(**keys, **more).activations  # noqa: E731
    assert of(windows=10**8) - of() == 10**8
    assert of(windows=10**8, card=10**7) - of(card=10**7) == 10**8  # also where it is cut
    few = {"fraction-train": 0.5}  # graphs keep theirs
    assert of(windows=10**8, **few) - of(**few) == (KEPT + 1) * 10**8
    for other in ({"precision": "bfloat16"}, {"gradients": "vmap"}, {"gradients": "loop"}):
        assert of(windows=10**8, **other) == of(**other)


def test_only_the_shared_pass_is_cut():
    """And a round that is cut has no graph, which would be a matrix more."""
    keys = {"activations": 10**6, "strategy": "mean", "attack": "none"}
    cut, tiny = room(card=10**7, **keys), room(card=10, **keys)
    assert cut.activations == 5 * 10**6 and tiny.activations == 10**6
    assert room(**keys).gradients - cut.gradients == 4 * 50 * 1000
    vmap = room(card=10**7, gradients="vmap", **keys)
    assert vmap.activations == 50 * 10**6 and vmap.gradients == 4 * 50 * 1000
    steps = room(card=10**7, **keys, **{"local-steps": 2})  # they have no shared pass
    assert steps.activations == 50 * 10**6 and steps.gradients > vmap.gradients
    loop = room(card=10**7, gradients="loop", **keys)
    assert (loop.activations, loop.rows) == (10**6, 0) and loop.total < cut.total


def test_where_rounds_ask_others_several_graphs_are_kept():
    keys = {"activations": 10**6, "strategy": "mean", "attack": "none", "fraction-train": 0.5}
    few, many = room(**keys), room(card=10**8, **keys)
    assert many.activations == 25 * 10**6  # five of them would take more than half the card: none
    assert few.activations == (KEPT + 1) * 25 * 10**6
    assert few.gradients - many.gradients == KEPT * 4 * 25 * 1000


@pytest.mark.parametrize(
    "parts, remedy",
    [
        ((9, 1, 1, 1), "a rule on signs"),
        ((1, 9, 1, 1), "an attack that sees its own row alone"),
        ((1, 1, 9, 1), "a smaller batch-size or precision='bfloat16'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_number_and_the_remedy(parts, remedy):
    needed = Room(*(int(part * 1e9) for part in parts))
    check_room(needed, int(12e9), 50)
    with pytest.raises(ConfigError, match=r"takes about 12\.0 GB .*50 workers.* and 11\.9 GB are"):
        check_room(needed, int(11.9e9), 50)
    with pytest.raises(ConfigError, match=remedy):
        check_room(needed, 0, 50)


def node(supernodes=5, card=80 * 10**9, activations=0, **keys):
    config = parse({"num-workers": 50, "num-byzantine": 10, "batch-size": 8} | keys)
    return room_of_node(config, Network(1000, activations), supernodes=supernodes, card=card)


def test_a_node_of_flower_holds_the_gradients_of_its_workers():
    found, workers = node(activations=10**6, attack="sign-flip")
    assert workers == 10 and found.rows == 0
    assert found.activations == (KEPT + 1) * 10 * 10**6  # of a part of the workers
    assert found.gradients == (KEPT + 1) * 4 * 10 * 1000
    cut, _ = node(activations=10**6, card=10**7, attack="sign-flip")
    assert (cut.activations, cut.gradients) == (5 * 10**6, 4 * 10 * 1000)
    assert node(attack="lie")[1] == 50  # it computes those that it looks at
    one, workers = node(activations=10**6, attack="lie", **{"fraction-train": 0.5})
    assert (one.activations, workers) == (10**6, 1)  # then one after the other


@pytest.mark.parametrize(
    "share, supernodes, free, fits",
    [
        (0.25, 4, 8.0, True),
        (0.25, 4, 6.4, False),  # four side by side, and the server
        (0.25, 2, 5.0, True),
        (0.125, 2, 8.0, False),  # a share of one GB
        (0.0, 4, 0.0, True),  # nodes see no GPU
    ],
)
def test_nodes_that_do_not_fit_side_by_side_are_refused(
    share, supernodes, free, fits, monkeypatch, tmp_path
):
    """Each takes 1.5 GB: CUDA itself, and batches of its share."""
    monkeypatch.setattr(Simulation, "check", lambda self, config: None)
    monkeypatch.setattr(prepare_module, "free_and_total", lambda: (int(free * 10**9), 8 * 10**9))
    given = {"num-workers": 20, "num-byzantine": 0, "batch-size": 8, "device": "cpu"}
    given["out-dir"] = str(tmp_path / "run")
    problem = prepare_module.problem_of(parse(given).workload)
    problem.memory = lambda workers: (workers * 180 * 10**6, 0)
    keys = {
        "reach": "omniscient", "simulation": Simulation(supernodes, 1, share),
        "load": lambda workload: problem,
    }  # fmt: skip
    if fits:
        assert prepare_module.prepare(given, **keys).path.exists()
        return
    with pytest.raises(ConfigError, match=r"each node takes about .* its share; .*--supernodes"):
        prepare_module.prepare(given, **keys)
    assert not (tmp_path / "run").exists()


class Ray:
    """Ray's module, as far as it is asked."""

    def __init__(self, resources):
        self._resources = resources

    def is_initialized(self):
        return True

    def get_runtime_context(self):
        return self

    def get_assigned_resources(self):
        if self._resources is None:
            raise AssertionError("not a worker")
        return self._resources


@pytest.mark.parametrize(
    "resources, share",
    [({"CPU": 1.0, "GPU": 0.25}, 0.25), ({"GPU": 2.0}, 1.0), ({"CPU": 1.0}, 1.0), (None, 1.0)],
)
def test_a_process_plans_with_the_share_that_ray_gave_it(resources, share, monkeypatch):
    card = SimpleNamespace(total_memory=80 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setitem(sys.modules, "ray", Ray(resources))
    assert card_bytes() == share * 80 * 10**9
    monkeypatch.setitem(sys.modules, "ray", None)
    assert card_bytes() == 80 * 10**9


def test_nothing_is_left_of_a_run_that_does_not_fit(monkeypatch, tmp_path):
    """Asked for before the folder is claimed, and only where a GPU computes."""
    monkeypatch.setattr(prepare_module, "free_and_total", lambda: (1000, 2000))
    given = {"out-dir": str(tmp_path / "run"), "device": "cpu"}
    problem = prepare_module.problem_of(parse(given).workload)
    assert prepare_module.prepare(given, load=lambda workload: problem).path.exists()
    problem.device = NamedElsewhere("cpu")
    with pytest.raises(ConfigError, match="of the GPU's memory"):
        prepare_module.prepare(
            given | {"out-dir": str(tmp_path / "other")}, load=lambda workload: problem
        )
    assert not (tmp_path / "other").exists()


def test_flags_of_torch_are_put_back():
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    with repeatable(torch.device("cpu")):
        assert not torch.are_deterministic_algorithms_enabled()  # nothing to set
    with pytest.raises(KeyError), repeatable(torch.device("meta")):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
        raise KeyError
    after = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    assert after == before


@pytest.mark.parametrize("share, mine", [(1.0, 80.0), (0.25, 19.4)])
def test_a_share_of_a_card_holds_what_cuda_takes_for_itself(share, mine, monkeypatch):
    """Four cells that planned with a quarter each would not fit, by four contexts."""
    memory = SimpleNamespace(total_memory=80 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: memory)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (80 * 10**9, 80 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 0)
    monkeypatch.setattr("signfed.app.task.card.share", lambda: share)
    monkeypatch.setattr("signfed.app.engines.room.share", lambda: share)
    assert free_and_total() == (int(mine * 10**9), int(share * 80 * 10**9))
