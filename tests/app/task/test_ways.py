"""Which way a run takes to its gradients, and that it says so."""

import json
import logging
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils import deterministic

from signfed.app.config.run_config import parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.runs.folder import read_summary
from signfed.app.task import Dataset, evaluate, find_task
from signfed.app.task.precision import precision
from signfed.app.task.repeatable import repeatable

OWN = """
import torch
from torch import nn
from signfed import Dataset
from signfed.app.task import load_digits

def batches_at_zero(data_dir, download):
    d = load_digits()
    return Dataset(
        d.train_x, d.train_y, d.test_x, d.test_y, lambda x: x.float() - x.float().mean(0)
    )

class Doubled(torch.autograd.Function):
    generate_vmap_rule = False
    def forward(x):
        return 2 * x
    def setup_context(ctx, inputs, output):
        pass
    def backward(ctx, gradient):
        return 2 * gradient
    def vmap(info, dims, x):
        return 2.1 * x, dims[0]

def with_a_vmap_of_its_own(spec):
    class Net(nn.Linear):
        def forward(self, x):
            return Doubled.apply(super().forward(x.flatten(1)))
    return Net(64, spec.num_classes)

def with_an_outer_product(spec):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, spec.num_classes)
            self.extra = nn.Parameter(torch.ones(spec.num_classes))
        def forward(self, x):
            return torch.einsum("bi,i->bi", self.layer(x.flatten(1)), self.extra)
    return Net()

def with_a_branch(spec):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, spec.num_classes)
        def forward(self, x):
            scores = self.layer(x.flatten(1))
            return scores if scores.sum() > 0 else 2 * scores
    return Net()

def with_dropout(spec):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, spec.num_classes))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "ways_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "ways_own:with_an_outer_product"
    sys.modules.pop("ways_own", None)


def problem(**keys):
    given = {"device": "cpu"} | {key.replace("_", "-"): value for key, value in keys.items()}
    workload = parse(given).workload
    return find_task(workload.task).problem(workload)


@pytest.mark.parametrize(
    "keys, way, because",
    [
        ({}, "vmap", "the loop's bits"),
        ({"gradients": "shared"}, "shared", "every parameter has a form"),
        ({"gradients": "vmap"}, "vmap", "gradients='vmap'"),
        ({"gradients": "loop"}, "loop", "gradients='loop'"),
        ({"batch_sizes": "8x10,16x5"}, "vmap", "the loop's bits"),
        ({"batch_sizes": "8x10,16x5", "gradients": "shared"}, "shared", "every parameter"),
        ({"local_steps": 2, "gradients": "shared"}, "vmap", "shared: after the first local step"),
    ],
)
def test_the_way_is_chosen_with_its_reason(keys, way, because):
    found = problem(**keys)
    assert found.way == {}
    many = found.batched(lambda t: range(15))
    assert (many is None) == (way == "loop")
    assert found.way["way"] == way and because in found.way["because"]
    if many is not None and not keys.get("local_steps"):
        x = found.initial().numpy()
        loop = np.stack([found.gradient(x, worker, 3) for worker in range(15)])
        np.testing.assert_allclose(many(x, range(15), 3).numpy(), loop, rtol=1e-4, atol=1e-8)


def test_what_has_no_shared_form_falls_back_to_vmap_and_then_to_the_loop(own, caplog):
    caplog.set_level(logging.INFO, "signfed")
    found = problem(model=own, gradients="shared")
    assert found.batched(lambda t: range(15)) is not None
    assert found.way["way"] == "vmap"
    assert found.way["because"] == (
        "shared: extra: used by torch.functional.einsum, which has no form for all workers at once"
    )
    found = problem(model="ways_own:with_a_branch", gradients="shared")
    assert found.batched(lambda t: range(15)) is None
    assert found.way["because"].startswith("shared: the network reads values")
    assert found.way["because"].endswith("; vmap: an operation has no such form")
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and "gradients='shared': shared: " in warnings[0].message


def test_out_of_memory_is_not_taken_for_an_operation_without_a_form(monkeypatch):
    def full(*given):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("signfed.app.task.batched.BatchedGradients.__call__", full)
    config = parse({"gradients": "vmap", "device": "cpu"})
    problem = find_task("digits").problem(config.workload)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        problem.batched(config.participation.workers)


@pytest.mark.parametrize("gradients", ["auto", "shared", "vmap"])
@pytest.mark.parametrize("sizes", ["12x15", "5,9x6,1,5x7"])
def test_input_that_depends_on_its_batch_is_made_worker_by_worker(own, gradients, sizes):
    keys = {"task": "ways_own:batches_at_zero", "model": "mlp", "batch_sizes": sizes}
    found = problem(gradients=gradients, **keys)
    many, x = found.batched(lambda t: range(15)), found.initial().numpy()
    assert found.way["way"] == {"auto": "vmap"}.get(gradients, gradients)
    loop = np.stack([found.gradient(x, worker, 3) for worker in range(15)])
    np.testing.assert_allclose(many(x, range(15), 3).numpy(), loop, rtol=1e-4, atol=1e-7)


def test_a_vmap_that_is_not_the_loop_is_refused_although_it_was_asked_for(own):
    found = problem(model="ways_own:with_a_vmap_of_its_own", gradients="vmap")
    assert found.batched(lambda t: range(15)) is None
    assert found.way == {
        "way": "loop", "because": "vmap: other gradients than one worker at a time",
    }  # fmt: skip


@pytest.mark.parametrize("model", ["mlp", "ways_own:with_dropout"])
@pytest.mark.parametrize("steps", [1, 2])
def test_batches_of_several_sizes_are_computed_size_by_size(own, model, steps):
    """In any order of the workers, of whom some alone have their size; to the loop's bits."""
    sizes = [5, 9, 5, 1, 9, 9, 5, 5, 9, 2, 9, 5, 5, 9, 9]
    found = problem(
        model=model, batch_sizes=",".join(map(str, sizes)), gradients="vmap", local_steps=steps
    )
    many, x = found.batched(lambda t: range(15)), found.initial().numpy()
    for asked in (range(15), [9, 4, 0, 3], [14, 1]):
        loop = np.stack([found.gradient(x, worker, 3) for worker in asked])
        assert np.array_equal(many(x, asked, 3).numpy(), loop)


def test_a_run_notes_its_way_in_its_folder_and_is_the_same_twice(tmp_path, caplog):
    caplog.set_level(logging.INFO, "signfed")
    models = set()
    for name in ("first", "again"):
        keys = {"num-rounds": 4, "device": "cpu", "gradients": "shared"}
        execute(prepare(keys | {"out-dir": str(tmp_path / name)}), local_engine)
        noted = json.loads((tmp_path / name / "config.json").read_text())
        assert noted["gradients"]["way"] == "shared" and noted["config"]["gradients"] == "shared"
        models.add(read_summary(tmp_path / name)["model_sha256"])
    assert len(models) == 1
    assert "gradients: shared (every parameter has a form for all workers at once)" in caplog.text


def test_a_gpu_is_held_to_algorithms_that_give_the_same_bits_twice():
    def flags():
        cudnn = torch.backends.cudnn
        algorithms = torch.are_deterministic_algorithms_enabled()
        filled = deterministic.fill_uninitialized_memory
        return cudnn.deterministic, not cudnn.benchmark, algorithms, not filled

    before, allowed = flags(), torch.backends.cudnn.allow_tf32
    with precision("float32", torch.device("cuda")):
        assert all(flags()) and not torch.backends.cudnn.allow_tf32
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert flags() == before and torch.backends.cudnn.allow_tf32 == allowed
    with precision("bfloat16", torch.device("cpu")):
        assert flags() == before


def test_what_a_network_sets_within_ends_with_its_gradients():
    """A run holds the flags, so that its gradients find them set and set nothing."""
    gpu = torch.device("cuda")
    with repeatable(gpu):
        for _ in range(2):
            with precision("float32", gpu):
                assert not torch.backends.cudnn.benchmark
                torch.backends.cudnn.benchmark = deterministic.fill_uninitialized_memory = True
                torch.use_deterministic_algorithms(False)
            assert not torch.backends.cudnn.benchmark
            assert not deterministic.fill_uninitialized_memory
            assert torch.is_deterministic_algorithms_warn_only_enabled()
            assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_only_bfloat16_rounds_whatever_is_around_it():
    cpu = torch.device("cpu")
    with torch.autocast("cpu", torch.bfloat16), precision("tf32", cpu):
        assert not torch.is_autocast_enabled("cpu")
    with precision("bfloat16", cpu):
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")


def test_a_model_is_evaluated_in_float32_on_a_gpu(monkeypatch):
    """cuDNN's own default is to round to TF32."""
    seen = []

    class Net(nn.Linear):
        def forward(self, x):
            seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic))
            return super().forward(x)

    on_gpu = lambda name, device: precision(name, torch.device("cuda"))  # noqa: E731
    monkeypatch.setattr("signfed.app.task.evaluation.precision", on_gpu)
    x, y = torch.ones(3, 2), torch.zeros(3, dtype=torch.int64)
    evaluate(Net(2, 2), torch.ones(6), Dataset(x, y, x, y))
    assert seen == [(False, True)]
