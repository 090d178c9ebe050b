"""The device that was asked for."""

import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.task import find_task
from signfed.app.task.workload import device_of


@pytest.mark.parametrize(
    "asked, gpu, expected",
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_auto_takes_a_gpu_where_there_is_one(asked, gpu, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert device_of(asked) == torch.device(expected)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    workload = parse({"device": "cuda"}).workload
    with pytest.raises(ConfigError, match="device='cuda': expected a GPU, but torch sees none"):
        find_task("digits").problem(workload)
