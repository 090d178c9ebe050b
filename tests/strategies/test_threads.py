import pytest
import torch

from strategies import Updates, training
from strategies.codecs import SignCodec
from strategies.federation import Federation, Participation
from strategies.sign_mv import SignMV
from strategies.step import Step
from strategies.threads import one_thread
from strategies.training import Training


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
    Training(rule, federation, parameters).advance(updates, {"round": 1, "dropped": {}})
    assert rule.threads == threads and torch.get_num_threads() == 3
