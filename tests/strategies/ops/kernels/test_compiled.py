"""The sign kernels through torch's compiler. Without a GPU: what it makes of them for a CPU."""

import shutil
import subprocess
import sys
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from signfed.strategies.ops import kernels
from signfed.strategies.ops.kernels import bits, compiled, eager, grouped
from signfed.strategies.ops.kernels.compiled import Kernel
from tests.strategies.ops.samples import (
    SIZES,
    counts_and_tables,
    cuts,
    packed_rows,
    same_bits,
    weights_of,
)

# Few numbers of rows: some kernels are compiled for each of them.
SHAPES = [*product((1, 3), SIZES), (15, 1000)]


def values(n, size):
    found = np.random.default_rng([n, size]).standard_normal((n, size), dtype=np.float32)
    found[:, ::5], found[:, 1::5], found[:, 2::5] = -0.0, np.nan, np.inf
    return found


def tensors(*arrays):
    return [torch.from_numpy(array.copy()) for array in arrays]


def packs(n, size):
    return tensors(values(n, size)), bits.pack(values(n, size))


def gives_signs(n, size):
    packed = packed_rows(n, size)
    return [*tensors(packed), size], bits.signs(packed, size)


def majority(n, size):
    packed = packed_rows(n, size, agreement=0.2)
    return tensors(packed), kernels.majority_vote(packed)


def ties(n, size):
    packed = packed_rows(2 * n, size)
    return tensors(packed), kernels.tied(packed)


def scores(n, size):
    return np.random.default_rng([size, n]).standard_normal(size, dtype=np.float32)


def weighs(n, size):
    packed, weights, edges = packed_rows(n, size), weights_of((n, 5), n), cuts(size, n)
    given = [*tensors(scores(n, size), packed, weights), torch.tensor(edges)]
    return given, summed(scores(n, size), packed, np.repeat(weights, np.diff(edges), axis=1))


def summed(score, packed, weights):
    for row, weight in zip(packed, weights, strict=True):
        score = score + np.where(bits.unpack(row, len(score)), weight, -weight)
    return score


def by_count(n, size):
    packed, (counts, tables) = packed_rows(n, size), counts_and_tables(n, size)
    given = [
        *tensors(scores(n, size), packed),
        tensors(*(count.view(np.int16) for count in counts)),
        pad_sequence(tensors(*tables), batch_first=True),
    ]
    weights = [table[count] for table, count in zip(tables, counts, strict=True)]
    return given, summed(scores(n, size), packed, weights)


def votes_and_counts(n, size):
    """The counts after it are part of what is expected."""
    given, score = by_count(n, size)
    counts = [
        count + (bits.unpack(row, size) != (score >= 0))
        for row, count in zip(packed_rows(n, size), counts_and_tables(n, size)[0], strict=True)
    ]
    return given, [bits.pack(score), *counts]


def counts_alone(n, size):
    packed, (counts, _) = packed_rows(n, size), counts_and_tables(n, size)
    moved = tensors(*(count.view(np.int16) for count in counts))
    kernels.count_disagreements(packed, packed[-1], counts, size)
    return [*tensors(packed, packed[-1]), moved], counts


def counts_blocks(n, size):
    packed, edges = packed_rows(n + 1, size), cuts(size, n)
    expected = kernels.block_disagreements(packed[1:], packed[0], edges)
    return [*tensors(packed[1:], packed[0]), torch.tensor(edges)], expected


CASES = {
    "pack": packs,
    "signs": gives_signs,
    "majority_vote": majority,
    "tied": ties,
    "add_votes": weighs,
    "add_votes_by_count": by_count,
    "vote_and_count": votes_and_counts,
    "count_disagreements": counts_alone,
    "block_disagreements": counts_blocks,
}


@pytest.fixture(autouse=True)
def as_new():
    """Of torch's compiler: what one test had compiled does not count against the next."""
    import torch._dynamo

    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compilations(limit):
    from torch._dynamo import config

    return config.patch(cache_size_limit=limit)


def check(function, name, n, size, device="cpu"):
    """The bits of NumPy's kernel, in what is returned and in what has moved in place."""
    given, expected = CASES[name](n, size)
    given = [
        [each.to(device) for each in part] if isinstance(part, list)
        else part.to(device) if isinstance(part, torch.Tensor) else part
        for part in given
    ]  # fmt: skip
    returned = function(*given)
    found = [] if returned is None else [returned]
    if isinstance(expected, list):
        found += next(part for part in given if isinstance(part, list))
    else:
        expected = [expected]
    for a, b in zip(found, expected, strict=True):
        a = a.cpu().numpy()
        assert same_bits(a.view(np.uint16) if a.dtype == np.int16 else a, b), (name, n, size)


def test_every_kernel_has_a_case():
    assert set(compiled.KERNELS) == {getattr(compiled, name) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_graph_with_the_same_bits(name):
    """fullgraph: a break would be an error, and so would be one compilation too many."""
    whole = torch.compile(getattr(eager, name), fullgraph=True, dynamic=True, backend="eager")
    with compilations(64):
        for n, size in SHAPES:
            check(whole, name, n, size)


@pytest.mark.parametrize("name", CASES)
def test_what_inductor_makes_of_it_has_the_same_bits(name):
    """Its C++ here, from the same loops as the Triton of a GPU."""
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    kernel = Kernel(getattr(eager, name), device="cpu")
    check(kernel, name, 3, 1000)
    assert not kernel.failed


@pytest.mark.parametrize("name", CASES)
def test_on_a_gpu(name):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    kernel = getattr(compiled, name)
    for n, size in ((3, 1000), (15, 582_026), (14, 582_026)):
        check(kernel, name, n, size, "cuda")
    assert not kernel.failed and compiled.mode(torch.device("cuda")) == "compiled"


def refuses(graph, inputs):
    raise OSError("no compiler")


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_compiled_runs_as_it_is_written(name):
    kernel = Kernel(getattr(eager, name), device="cpu", backend=refuses)
    for size in (64, 65):
        check(kernel, name, 3, size)
        assert kernel.failed


@pytest.mark.parametrize("error", [RuntimeError, ImportError])
def test_without_a_compiler_for_this_python(error, monkeypatch):
    def nothing(function, **options):
        raise error("not supported")

    monkeypatch.setattr(torch, "compile", nothing)
    kernel = Kernel(eager.pack, device="cpu")
    check(kernel, "pack", 3, 64)
    assert kernel.failed


def test_a_failure_is_not_tried_again():
    tried = []

    def backend(graph, inputs):
        tried.append(1)
        raise OSError("no compiler")

    kernel = Kernel(eager.majority_vote, device="cpu", backend=backend)
    for n in (2, 3, 4):
        check(kernel, "majority_vote", n, 64)
    assert len(tried) == 1


def test_a_mistake_in_the_arguments_is_raised_and_no_failure_of_the_compiler():
    kernel = Kernel(eager.count_disagreements, device="cpu", backend="eager")
    packed, counts = torch.ones(2, 4, dtype=torch.uint8), [torch.zeros(32, dtype=torch.int16)] * 2
    with pytest.raises(RuntimeError, match="must match the size"):
        kernel(packed, torch.zeros(5, dtype=torch.uint8), counts)
    assert not kernel.failed and not counts[0].any()
    check(kernel, "count_disagreements", 3, 64)


def test_an_error_while_it_runs_is_not_taken_for_one_of_the_compiler():
    def backend(graph, inputs):
        def run(*given):
            raise RuntimeError("out of memory")

        return run

    kernel = Kernel(eager.pack, device="cpu", backend=backend)
    with pytest.raises(RuntimeError, match="out of memory"):
        kernel(torch.ones(8))
    assert not kernel.failed


@pytest.mark.parametrize("name", CASES)
def test_a_few_compilations_serve_all_sizes_and_then_torch_stops(name):
    """Rows that differ in number from round to round, as where workers drop out."""
    found = []

    def backend(graph, inputs):
        found.append(graph)
        return graph.forward

    kernel = Kernel(getattr(eager, name), device="cpu", backend=backend)
    for size in (100, 201, 302):
        check(kernel, name, 5, size)
    assert len(found) == 1
    with compilations(3):
        for n in (2, 3, 4, 6, 5):
            check(kernel, name, n, 100)
    by_rows = name in ("add_votes", "add_votes_by_count", "vote_and_count", "count_disagreements")
    assert len(found) == (3 if by_rows else 1)
    assert not kernel.failed


def test_two_compilations_serve_any_number_of_groups(monkeypatch):
    """Groups are views: where in a matrix one starts must not matter."""
    found = Counter()
    for name in ("add_votes_by_count", "vote_and_count", "count_disagreements"):

        def backend(graph, inputs, name=name):
            found[name] += 1
            return graph.forward

        kernel = Kernel(getattr(eager, name), device="cpu", backend=backend)
        monkeypatch.setattr(compiled, name, kernel)
    monkeypatch.setattr(grouped, "GROUP", 3)
    for n in (5, 8, 11):
        packed, (counts, tables) = packed_rows(n, 1001), counts_and_tables(n, 1001)
        moved = tensors(*(count.view(np.int16) for count in counts))
        one = pad_sequence(tensors(*tables), batch_first=True)
        decoded = grouped.vote_and_count(torch.from_numpy(packed), moved, one, 1001)
        assert same_bits(decoded.numpy(), kernels.vote_and_count(packed, counts, tables, 1001))
        assert same_bits(torch.stack(moved).numpy().view(np.uint16), np.stack(counts))
    assert found == {"add_votes_by_count": 1, "vote_and_count": 1, "count_disagreements": 1}


def test_a_kernel_for_another_device_is_left_alone():
    kernel = Kernel(eager.pack, backend=refuses)
    check(kernel, "pack", 3, 64)
    assert not kernel.failed


def test_mode(monkeypatch):
    monkeypatch.setattr(compiled, "KERNELS", (Kernel(eager.pack, device="cpu", backend=refuses),))
    places = [torch.device(name) for name in ("cpu", "cuda", "mps")]
    assert list(map(compiled.mode, places)) == ["numpy", "compiled", "eager"]
    check(compiled.KERNELS[0], "pack", 3, 64)
    assert list(map(compiled.mode, places)) == ["numpy", "eager", "eager"]


def test_votes_on_a_cpu_do_not_load_the_compiler():
    code = """
import sys, torch
from strategies import Updates, vote
from strategies.kernels import compiled
updates = Updates.from_matrix(torch.tensor([[1.0, -2], [1, -1]]), signs=True)
packed, counts = updates.packed(), [torch.zeros(2, dtype=torch.int16) for _ in range(2)]
decoded = vote.vote_and_count(packed, counts, [torch.ones(1)] * 2, 2)
vote.majority_vote(updates), vote.ties(updates), vote.weighted_vote(packed, torch.ones(2), 2)
vote.count_disagreements(packed, decoded, counts, 2)
vote.block_disagreements(packed, decoded, (0, 2))
assert compiled.mode(packed.device) == "numpy"
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
