"""What a worker knows of earlier rounds, and how it is kept."""

import numpy as np
import pytest
import torch

from signfed.attacks import ATTACKS, KnowledgeError, Past, attack, build, craft
from signfed.attacks.core.past import recalled, remembered
from signfed.attacks.core.seeing import view_of
from tests.attacks.inputs import crafted, matrix, past_of

X, LATER = matrix(1, 2, -3), matrix(0.5, 2, -2)


def test_the_direction_is_the_movement_over_the_learning_rate():
    kept = remembered(Past.first(X), "mine")
    assert np.array_equal(recalled(kept, "mine", LATER, 0.25, 0).direction, matrix(2, 0, -4))
    assert recalled(kept, "mine", LATER, 0.25, 7).secret == 7
    assert not recalled({}, "mine", LATER, 0.25, 0).direction.any()


def test_each_attack_has_a_memory_of_its_own_beside_the_workers():
    kept = {"momentum": X}
    for owner, value in (("a", 1.0), ("b", 2.0)):
        past = recalled(kept, owner, X, 1.0, 0)
        past.memory["x"] = np.array(value)
        kept |= remembered(past, owner)
    assert recalled(kept, "a", X, 1.0, 0).memory == {"x": 1.0}
    assert recalled(kept, "b", X, 1.0, 0).memory == {"x": 2.0}
    assert kept["momentum"] is X


def test_the_model_is_not_to_be_written_to_and_what_is_kept_is_a_copy():
    model = X.copy()
    past = recalled({}, "mine", model, 1.0, 0)
    kept = remembered(past, "mine")
    with pytest.raises(ValueError, match="read-only"):
        past.model[0] = 9.0
    model[0] = 9.0  # by its owner, as an optimizer would
    assert np.array_equal(kept["attack.model"], X)


def test_after_a_resume_a_device_finds_its_arrays_where_its_model_is():
    """A state that was read again holds arrays; a single number is not worth a wait."""
    kept = {"attack.model": X, "attack.mine.last": LATER, "attack.mine.factor": np.array(0.5)}
    away = torch.tensor(X).to("meta")
    memory = recalled(kept, "mine", away, 1.0, 0).memory
    assert memory["last"].device == away.device
    assert memory["factor"].device.type == "cpu" and float(memory["factor"]) == 0.5
    assert recalled(kept, "mine", X, 1.0, 0).memory["last"] is LATER


@attack(knowledge="own", stage="gradient", past=True)
def counting(view):
    """How many rounds it has seen."""
    seen = view.past.memory.get("seen", np.zeros(1)) + 1
    view.past.memory["seen"] = seen
    return np.full_like(view.own, seen)


def test_memory_lasts_over_rounds_in_craft_and_belongs_to_who_passes_it(monkeypatch):
    monkeypatch.setitem(ATTACKS, "counting", counting)
    past = past_of(2)
    sent = [craft("counting", [[1.0, 1.0]], n_total=3, seed=0, past=past)[0, 0] for _ in range(3)]
    assert sent == [1.0, 2.0, 3.0]
    assert craft("counting", [[1.0, 1.0]], n_total=3, seed=0, past=past_of(2))[0, 0] == 1.0


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].past])
def test_without_a_past_it_says_what_is_missing(name):
    with pytest.raises(ValueError, match=r"goes by the model and earlier rounds: pass past=Past"):
        crafted(name, honest=matrix([1, 1, 1, 1]))


def test_an_attack_made_of_others_has_a_past_if_one_of_them_has():
    assert build("time-varying", attacks="none,poisoned-fl").past
    assert not build("time-varying", attacks="none,lie").past


def test_who_did_not_declare_it_has_none():
    @attack(knowledge="own", stage="gradient")
    def curious(view):
        return view.past.model

    with pytest.raises(KnowledgeError, match=r"view\.past is for attacks that declare past=True"):
        view = view_of(
            curious, (0,), lambda worker: X, lambda worker: None, asked=(0,), n_total=1,
            server_round=1, truth=None, past=past_of(3), rehearse=None, findings=None,
            n_classes=None,
        )  # fmt: skip
        curious(view)
