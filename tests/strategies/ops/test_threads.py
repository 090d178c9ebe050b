import pytest
import torch

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.threads import one_thread
from signfed.strategies.server import training
from signfed.strategies.server.federation import Federation, Participation
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training
from signfed.strategies.sign_mv import SignMV


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_one_thread_while_it_lasts():
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 3
    with one_thread(only_if=False):
        assert torch.get_num_threads() == 3


class Noting(SignMV):
    """Keeps how many threads it was given."""

    def aggregate(self, updates):
        self.threads = torch.get_num_threads()
        return super().aggregate(updates)


@pytest.mark.parametrize("n_coordinates, threads", [(10, 1), (26, 3)])
def test_little_work_gets_one_thread_and_much_keeps_its_own(monkeypatch, n_coordinates, threads):
    monkeypatch.setattr(training, "LITTLE", 4 * 25)
    rule, parameters = Noting(), torch.zeros(n_coordinates)
    federation = Federation(Participation(4), SignCodec(), "sign", Step(lr=0.1))
    updates = Updates.from_matrix(torch.randn(4, n_coordinates), signs=True)
    Training(rule, federation, parameters).advance(updates, RoundRecord(1))
    assert rule.threads == threads and torch.get_num_threads() == 3
