"""What every partition promises, and what each one does, on labels of any kind."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn.utils import vector_to_parameters

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.task import PARTITIONS, TASKS, evaluate
from signfed.app.task.partitions import (
    dirichlet,
    gamma_similarity,
    holdings,
    labels_per_worker,
    lone_class,
    shared,
    sorted_runs,
)
from signfed.strategies.core.seeds import generator
from tests.federation import federate, locally

OPTIONS = {  # by labels and number of workers
    "stratified": lambda labels, workers: st.just({}),
    "shared": lambda labels, workers: st.just({}),
    "sorted": lambda labels, workers: st.fixed_dictionaries({"even_share": st.floats(0, 1)}),
    "dirichlet": lambda labels, workers: st.fixed_dictionaries({"alpha": st.floats(1e-3, 1e3)}),
    "labels": lambda labels, workers: st.fixed_dictionaries({"held": held_(labels, workers)}),
    "gamma-similarity": lambda labels, workers: st.fixed_dictionaries({"gamma": st.floats(0, 1)}),
    "lone-class": lambda labels, workers: st.fixed_dictionaries(
        {"label": st.sampled_from(sorted(set(labels.tolist())))}
    ),
}


def held_(labels, workers):
    """Enough for every class to have a holder."""
    classes = len(np.unique(labels))
    return st.integers(-(-classes // workers), classes)


many = settings(max_examples=80)
labels_ = st.lists(st.integers(0, 4), min_size=1, max_size=150).map(np.array)
workers_, seeds = st.integers(1, 12), st.integers(0, 2**40)


def made(name, labels, workers, seed, options):
    """The shards; what cannot be is assumed away, since each partition says what it refuses."""
    try:
        return PARTITIONS[name](labels, workers, seed, **options)
    except ValueError:
        assume(False)


@pytest.mark.parametrize("name", PARTITIONS)
@many
@given(data=st.data(), labels=labels_, workers=workers_, seed=seeds)
def test_shards_are_ids_a_function_of_their_arguments_and_disjoint(
    name, data, labels, workers, seed
):
    options = data.draw(OPTIONS[name](labels, workers))
    before = labels.copy()
    shards = made(name, labels, workers, seed, options)
    again = made(name, labels, workers, seed, options)
    assert len(shards) == workers and np.array_equal(labels, before)
    for shard, other in zip(shards, again, strict=True):
        assert shard.dtype == np.int64 and np.array_equal(shard, other)
        assert len(np.unique(shard)) == len(shard)
    held = np.concatenate(shards)
    assert ((held >= 0) & (held < len(labels))).all()
    if name == "shared":
        assert all(len(shard) == len(labels) for shard in shards)
    else:
        assert len(np.unique(held)) == len(held)
    if name == "stratified":
        assert len(held) == len(labels) // workers * workers  # the rest is not used
    else:
        assert set(held) == set(range(len(labels)))


@pytest.mark.parametrize("name", sorted(set(PARTITIONS) - {"shared"}))
def test_another_seed_gives_other_shards(name):
    labels = np.arange(200) % 10
    dealt = {b"".join(s.tobytes() for s in PARTITIONS[name](labels, 5, seed)) for seed in range(5)}
    assert len(dealt) == 5


def test_holdings_count_by_hand():
    labels = np.array([0, 2, 2, 1, 0])
    shards = [np.array([0, 4]), np.array([1, 2, 3])]
    assert holdings(shards, labels, 4).tolist() == [[2, 0, 0, 0], [0, 1, 2, 0]]


def test_shared_is_everything_for_everyone():
    assert [s.tolist() for s in shared(np.array([1, 0, 1]), 2, 0)] == [[0, 1, 2]] * 2


# SignGuard's


@many
@given(
    per_class=st.integers(20, 60), classes=st.integers(2, 10), workers=st.integers(2, 20),
    seed=seeds, fraction=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]),
)  # fmt: skip
def test_sorted_runs_hold_few_classes_and_sizes_are_even(
    per_class, classes, workers, seed, fraction
):
    labels = np.arange(per_class * classes) % classes
    shards = sorted_runs(labels, workers, seed, even_share=fraction)
    sizes = list(map(len, shards))
    assert max(sizes) - min(sizes) <= 3
    even = np.array_split(np.arange(round(fraction * len(labels))), workers)
    rest = np.concatenate([s[len(e) :] for s, e in zip(shards, even, strict=True)])
    left = np.sort(labels[rest])  # cut into runs: a run has the classes from its first to its last
    runs = [len(np.unique(run)) for run in np.array_split(left, 2 * workers)]
    most = sum(sorted(runs)[-2:])
    for shard, share in zip(shards, even, strict=True):
        assert len(np.unique(labels[shard[len(share) :]])) <= most
    assert sum(runs) <= classes + 2 * workers  # each cut adds a class to a run at most


def test_with_runs_that_fit_into_classes_a_worker_has_at_most_two_beside_its_even_share():
    """MNIST's shape: 10 classes, 50 workers, 100 runs of which each lies within one class."""
    labels = np.repeat(np.arange(10), 600)
    for seed in range(5):
        held = holdings(sorted_runs(labels, 50, seed, even_share=0.0), labels, 10)
        assert ((held > 0).sum(axis=1) <= 2).all() and (held.sum(axis=1) == 120).all()
        assert (held.sum(axis=0) == 600).all()


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.8])
def test_the_even_share_is_spread_over_all_classes(fraction):
    labels = np.repeat(np.arange(10), 6000)
    held = holdings(sorted_runs(labels, 50, 1, even_share=fraction), labels, 10)
    common = np.sort(held, axis=1)[:, :6]  # classes beyond the two runs, which may straddle
    expected = fraction * 60_000 / 50 / 10
    assert common.mean() == pytest.approx(expected, rel=0.1)
    assert held.max() > (1 - fraction) * 1200 / 2


def test_all_of_it_even_is_iid_and_a_bad_fraction_is_refused():
    labels = np.repeat(np.arange(10), 600)
    held = holdings(sorted_runs(labels, 10, 0, even_share=1.0), labels, 10)
    assert held.min() > 30 and held.max() < 90
    for fraction in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"even_share: expected a number in \[0, 1\]"):
            sorted_runs(labels, 10, 0, even_share=fraction)


# Dirichlet


@many
@given(classes=st.integers(1, 10), workers=st.integers(1, 10), seed=seeds)
def test_a_large_alpha_gives_all_workers_alike_shares(classes, workers, seed):
    labels = np.repeat(np.arange(classes), 500)
    held = holdings(dirichlet(labels, workers, seed, alpha=1e7), labels, classes)
    assert (
        np.abs(held - 500 / workers).max() <= 2
    )  # 500 times 5 deviations of a share, and rounding


@many
@given(classes=st.integers(2, 10), seed=seeds, alpha=st.sampled_from([1e-3, 1e-4]))
def test_a_small_alpha_gives_a_class_to_one_worker(classes, seed, alpha):
    labels = np.repeat(np.arange(classes), 300)
    try:
        held = holdings(dirichlet(labels, 2, seed, alpha=alpha), labels, classes)
    except ValueError:
        assume(False)  # both classes to the same worker, a hundred times: 2^-100 for two classes
    assert (held.max(axis=0) >= 0.5 * 300).all()
    assert (held.max(axis=0) == 300).mean() >= 0.5


def test_shares_have_the_mean_and_the_spread_of_the_distribution():
    """Var p = (1/M)(1 - 1/M) / (M alpha + 1) of a symmetric Dirichlet."""
    labels, workers, alpha = np.repeat(np.arange(100), 1000), 5, 0.7
    shares = holdings(dirichlet(labels, workers, 0, alpha=alpha), labels, 100) / 1000
    variance = 1 / workers * (1 - 1 / workers) / (workers * alpha + 1)
    assert shares.mean() == pytest.approx(1 / workers)
    assert shares.var() == pytest.approx(variance, rel=0.2)  # 500 shares


def test_workers_without_a_sample_are_drawn_again_or_refused():
    labels = np.repeat(np.arange(3), 50)
    assert all(map(len, dirichlet(labels, 4, 0, alpha=0.3)))
    with pytest.raises(ValueError, match="alpha: with 1e-05 each of 100 draws left one of 4"):
        dirichlet(labels, 4, 0, alpha=1e-5)
    for alpha in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="alpha: expected a finite number above 0"):
            dirichlet(labels, 4, 0, alpha=alpha)


def test_an_alpha_that_underflows_is_still_a_distribution():
    found = dirichlet(np.zeros(50, np.int64), 1, 0, alpha=1e-300)
    assert sorted(found[0]) == list(range(50))


# Labels per worker


@many
@given(
    classes=st.integers(1, 8), each=st.integers(20, 40), workers=st.integers(1, 20),
    held=st.integers(1, 8), seed=seeds,
)  # fmt: skip
def test_each_worker_holds_that_many_classes_and_an_even_share(classes, each, workers, held, seed):
    assume(held <= classes and workers * held >= classes)
    labels = np.arange(classes * each) % classes
    found = holdings(labels_per_worker(labels, workers, seed, held=held), labels, classes)
    assert ((found > 0).sum(axis=1) == held).all()
    holders = (found > 0).sum(axis=0)
    assert holders.max() - holders.min() <= 1
    for column, n in zip(found.T, holders, strict=True):
        shares = column[column > 0]
        assert shares.max() - shares.min() <= 1 and shares.sum() == each == sum(column) and n


@pytest.mark.parametrize(
    "labels, workers, held, text",
    [
        (np.arange(30) % 3, 5, 4, "expected 1 to 3, the number of classes; got 4"),
        (np.arange(30) % 3, 5, 0, "expected a whole number of at least 1"),
        (np.arange(30) % 10, 3, 2, "3 workers with 2 each cannot hold 10 classes; .* least 4"),
        (np.arange(6) % 3, 9, 3, "class 0 has 2 samples for 9 workers"),
    ],
)
def test_labels_that_cannot_be_dealt_are_refused(labels, workers, held, text):
    with pytest.raises(ValueError, match=f"held: .*{text}"):
        labels_per_worker(labels, workers, 0, held=held)


# ByzFL's


def by_gamma(labels, order, workers, gamma):
    """ByzFL's distribution on given draws: sorted pairs of (label, place), cut by number."""
    dealt = int(len(order) * gamma)
    even = np.array_split(order[:dealt], workers)
    place = {sample: i for i, sample in enumerate(order)}
    rest = sorted(order[dealt:], key=lambda sample: (labels[sample], place[sample]))
    return [[*a, *b] for a, b in zip(even, np.array_split(rest, workers), strict=True)]


@many
@given(labels=labels_, workers=workers_, seed=seeds, gamma=st.sampled_from([0, 0.33, 0.66, 1]))
def test_gamma_similarity_is_byzfls(labels, workers, seed, gamma):
    order = generator(seed, "partition").permutation(len(labels))
    found = gamma_similarity(labels, workers, seed, gamma=gamma)
    assert [shard.tolist() for shard in found] == by_gamma(labels, order.tolist(), workers, gamma)


def test_with_gamma_0_ten_workers_have_a_class_each_and_those_outside_have_all():
    labels = np.arange(600) % 10
    shards = gamma_similarity(labels, 13, 4, gamma=0.0, outside=3)
    held = holdings(shards, labels, 10)
    assert (held[:3] == 60).all() and (held[3:] == 60 * np.eye(10)).all()
    assert sorted(np.concatenate(shards[3:])) == list(range(600))
    alike = holdings(gamma_similarity(labels, 13, 4, gamma=1.0, outside=3), labels, 10)[3:]
    assert (alike.sum(axis=1) == 60).all() and 0 < alike.min() < alike.max() < 20
    with pytest.raises(ValueError, match=r"outside: expected at most 12, .* 13 workers .* got 13"):
        gamma_similarity(labels, 13, 4, outside=13)


# A class that one worker alone holds


@many
@given(labels=labels_, workers=st.integers(2, 12), seed=seeds, data=st.data())
def test_the_last_worker_alone_holds_the_class(labels, workers, seed, data):
    label = data.draw(st.sampled_from(sorted(set(labels.tolist()))))
    try:
        shards = lone_class(labels, workers, seed, label=label)
    except ValueError:
        assume(False)
    held = holdings(shards, labels, 5)
    assert set(shards[-1]) == set(np.flatnonzero(labels == label)) and not held[:-1, label].any()
    assert (np.ptp(np.delete(held[:-1], label, axis=1), axis=0) <= 1).all()


@pytest.mark.parametrize(
    "labels, workers, text",
    [
        ([0, 1, 2], 2, r"label: expected one of \[0, 1, 2\], the classes that occur; got 5"),
        ([5, 5, 0], 3, "label: 3 workers and 1 samples of other classes; expected at least two"),
        ([5, 0], 1, "label: 1 workers .* expected at least two workers"),
    ],
)
def test_a_lone_class_that_cannot_be_is_refused(labels, workers, text):
    with pytest.raises(ValueError, match=text):
        lone_class(np.array(labels), workers, 0, label=5)


# In a run


def workload(**given):
    return parse({key.replace("_", "-"): value for key, value in given.items()}).workload


@pytest.mark.parametrize(
    "given, text",
    [
        (
            {"partition": "dirichlet", "dirichlet.alpha": 1e-5},
            "partition='dirichlet': alpha: with",
        ),
        ({"partition": "labels", "labels.held": 11}, "held: expected 1 to 10"),
        ({"partition": "labels", "batch_size": 400}, "batch-size: the largest shard of digits"),
        (
            {"partition": "sorted", "num_workers": 1000, "batch_size": 1},
            "127 of 1000 workers hold no sample of digits; expected fewer workers",
        ),
    ],
)
def test_a_partition_that_the_data_do_not_allow_is_refused_before_the_start(given, text):
    with pytest.raises(ConfigError, match=text):
        TASKS["digits"].problem(workload(**given))


def test_a_worker_that_holds_less_than_a_batch_takes_all_that_it_has():
    problem = TASKS["digits"].problem(
        workload(**{"partition": "dirichlet", "dirichlet.alpha": 0.1})
    )
    held = [len(shard) for shard in problem.shards]
    assert min(held) < 64 < max(held)
    assert list(problem.batch_sizes()) == [min(64, n) for n in held]
    many, x = problem.batched(lambda t: range(15)), problem.initial().numpy()
    alone = np.stack([problem.gradient(x, worker, 1) for worker in range(15)])
    assert many is not None and np.array_equal(many(x, range(15), 1).numpy(), alone)


def test_batches_of_different_sizes():
    problem = TASKS["digits"].problem(workload(batch_sizes="3x10,95,96x4"))
    assert problem.batch_sizes() == (3,) * 10 + (95,) * 5  # 95 is all that a worker holds
    half = workload(batch_sizes="3x10,95,96x4", strategy="election", **{"election.batch": 0.5})
    assert half.batch_sizes == (2,) * 10 + (48,) * 5
    x = problem.initial().numpy()
    other = TASKS["digits"].problem(workload(batch_sizes="4x15"))
    assert not np.array_equal(problem.gradient(x, 0, 1), other.gradient(x, 0, 1))


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("strategy", ["election", "sign-mv"])
def test_every_partition_serves_a_federation_coded_or_not(partition, strategy, tmp_path):
    """Election Coding's partitions are the shards, whatever their sizes; replicas agree."""
    keys = {
        "strategy": strategy, "partition": partition, "num_rounds": 3, "num_byzantine": 2,
        "batch_size": 8,
    }  # fmt: skip
    done = [federate(tmp_path / str(n), nodes=n, **keys) for n in (1, 4)]
    assert done[0].sha256 == done[1].sha256
    assert all(r["received"] == 15 and not r["dropped"] for r in done[0].rounds)


def test_a_class_that_one_worker_holds_is_scored_alone_in_both_engines(tmp_path):
    keys = {
        "partition": "lone-class", "lone-class.label": 9, "num_rounds": 4, "strategy": "mean",
        "attack": "none", "num_byzantine": 0, "evaluate_every": 2, "lr": 0.3,
    }  # fmt: skip
    here = locally(tmp_path / "here", **keys)
    problem = TASKS["digits"].problem(workload(**{k: keys[k] for k in list(keys)[:2]}))
    data, model = problem._data, problem._evaluated
    state = load_file(list_checkpoints(tmp_path / "here")[-1] / "state.safetensors")
    vector_to_parameters(state["parameters"], model.parameters())
    with torch.no_grad():
        right = model.eval()(data.to_input(data.test_x)).argmax(1) == data.test_y
    theirs = data.test_y == 9
    assert here.summary["final_minority_accuracy"] == right[theirs].double().mean().item()
    assert here.summary["final_others_accuracy"] == right[~theirs].double().mean().item()
    for line in here.rounds:
        assert ("minority_accuracy" in line) == ("others_accuracy" in line) == ("test_loss" in line)
    there = federate(tmp_path / "there", nodes=2, **keys).summary
    scores = [name for name in here.summary if name.startswith("final_")]
    assert [there[name] for name in scores] == [here.summary[name] for name in scores]


def test_a_class_of_which_no_test_sample_is_has_no_accuracy():
    problem = TASKS["digits"].problem(workload(partition="lone-class"))
    of_others = problem._tested.test_y != 0
    data = replace(
        problem._tested,
        test_x=problem._tested.test_x[of_others], test_y=problem._tested.test_y[of_others],
    )  # fmt: skip
    accuracy, _, theirs, others = evaluate(problem._evaluated, problem.initial(), data, label=0)
    assert math.isnan(theirs) and others == accuracy


def test_dirichlet_draws_again_until_everybody_has_a_sample():
    """The first draw leaves a worker without any."""
    assert all(map(len, dirichlet(np.repeat(np.arange(3), 50), 8, 1, alpha=0.2)))


def test_a_share_of_the_samples_is_rounded_and_not_cut():
    """0.29 of ten is 2.9: three are dealt out, seven are sorted."""
    labels = np.arange(10) // 5
    draws = generator(4, "partition")
    order = draws.permutation(10)
    runs = np.array_split(order[3:][np.argsort(labels[order[3:]], kind="stable")], 4)
    pairs = draws.permutation(4)
    first = np.concatenate([order[:2], runs[pairs[0]], runs[pairs[1]]])
    assert np.array_equal(sorted_runs(labels, 2, 4, even_share=0.29)[0], first)


def test_the_two_runs_of_a_worker_are_drawn_and_not_neighbours():
    labels = np.repeat(np.arange(10), 10)
    shards = sorted_runs(labels, 5, 0, even_share=0.0)
    assert any(np.ptp(labels[shard]) > 2 for shard in shards)
