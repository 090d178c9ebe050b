"""The kernels for a GPU: as Triton interprets them here, and on a card where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

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
