"""The kernels for a GPU: as Triton interprets them here, and on a card where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from signfed.app.task.shared import batch_norm
from tests import kernels
from tests.test_architecture import ROOT

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.skipif(find_spec("triton") is None, reason="PyTorch came without Triton")
def test_interpreted_on_a_cpu_the_kernels_give_what_tensor_operations_give():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "tests.kernels"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
@pytest.mark.parametrize("check", kernels.CHECKS)
def test_on_a_card(check):
    check("cuda")


@pytest.mark.parametrize("device", DEVICES)
def test_a_pool_of_tiles_is_pytorch_s(device):
    kernels.check_pool(device)


class Grids(list):
    """In a kernel's place: with which grids it was started."""

    def __getitem__(self, grid):
        return lambda *given: self.append(grid)

    def fit(self):
        limits = 2**31 - 1, 65_535, 65_535
        return all(n <= limit for grid in self for n, limit in zip(grid, limits, strict=False))


@pytest.mark.skipif(find_spec("triton") is None, reason="PyTorch came without Triton")
@pytest.mark.parametrize("rows, n_coordinates", [(2, 134_217_729), (70_000, 8)])
def test_a_grid_has_no_more_programs_than_cuda_takes(rows, n_coordinates, monkeypatch):
    from signfed.strategies.ops import _triton

    grids = Grids()
    monkeypatch.setattr(_triton, "_pack", grids)
    monkeypatch.setattr(_triton, "_signs", grids)
    packed = _triton.pack(torch.empty(rows, n_coordinates, device="meta"))
    assert _triton.signs(packed, n_coordinates).shape == (rows, n_coordinates)
    assert len(grids) == 2 and grids.fit()


@pytest.mark.skipif(find_spec("triton") is None, reason="PyTorch came without Triton")
def test_so_have_masks_of_large_activations(monkeypatch):
    from signfed.app.task.shared import _mask_kernels

    grids = Grids()
    monkeypatch.setattr(_mask_kernels, "_masks", grids)
    streams, meta = np.zeros((3, 4), np.int64), torch.device("meta")
    [mask] = _mask_kernels.draw_masks([0.5], [(2**25 + 3,)], 1, streams, meta)
    assert mask.shape == (3, 2**25 + 3) and len(grids) == 1 and grids.fit()


def test_a_worker_of_more_values_than_a_kernel_names_takes_tensor_operations(monkeypatch):
    monkeypatch.setattr(batch_norm, "runs_kernels", lambda device: True)
    x = torch.empty(6, 1 << 15, 1 << 15, device="meta")  # 2^31 values for each of three workers
    assert batch_norm._sums(x, 3).__name__.endswith("._norm_tensors")
    assert batch_norm._sums(x[..., 1:], 3).__name__.endswith("._norm_kernels")
