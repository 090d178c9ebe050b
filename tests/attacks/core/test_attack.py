"""What an attack declares, what it gets for it, and what it may return."""

import numpy as np
import pytest

from signfed.attacks import ATTACKS, Findings, KnowledgeError, View, attack, build, knows
from tests.attacks.inputs import IMAGES, LABELS, OWN, past_of, randn

PLAIN = [name for name in ATTACKS if name != "time-varying"]  # which has no rows of its own


def needed(name):
    """What the attack declared to need besides its own rows."""
    chosen, known = ATTACKS[name], {}
    if knows(chosen.knowledge, "omniscient"):
        known["honest"] = randn(3, 4)
    if chosen.truth:
        known["truth"] = randn(4)
    if chosen.past:
        known["past"] = past_of(4)
    if chosen.rule:
        known["aggregate"] = lambda sent: sent.mean(axis=0)
    if chosen.knowledge == "server":
        known |= {"findings": Findings(), "ids": (0, 1), "honest_ids": (2, 3, 4)}
    if chosen.stage == "data":
        known["n_classes"] = 4
    if chosen.makes_trigger:
        known["images"] = IMAGES
    return known


def view_of(name, **known):
    own = LABELS if ATTACKS[name].stage == "data" else OWN
    return View(own, tuple(np.random.default_rng(i) for i in range(2)), 5, **known)


@pytest.mark.parametrize("name", PLAIN)
def test_what_was_declared_is_enough(name):
    sent = build(name)(view_of(name, **needed(name)))
    assert sent.shape == (2, 4)
    assert sent.dtype == (np.int64 if ATTACKS[name].stage == "data" else np.float32)


@pytest.mark.parametrize("name, field", [(name, field) for name in PLAIN for field in needed(name)])
def test_what_was_declared_is_needed_and_guarded(name, field):
    known = needed(name)
    del known[field]
    with pytest.raises(KnowledgeError, match=rf"view\.{field} is for attacks that declare"):
        build(name)(view_of(name, **known))


@pytest.mark.parametrize(
    "declared, text",
    [
        ({"knowledge": "all"}, "knowledge must be one of"),
        ({"stage": "bits"}, "stage must be one of"),
        ({"truth": True}, "truth=True needs knowledge 'omniscient' or 'server', got 'own'"),
        ({"rule": True}, "rule=True needs knowledge 'omniscient' or 'server', got 'own'"),
        (
            {"stage": "data", "knowledge": "colluders"},
            "'own' and past=False, got 'coll",
        ),
        ({"stage": "data", "past": True}, "and past=False, got 'own' and True"),
    ],
)
def test_an_attack_must_declare_what_exists_and_goes_together(declared, text):
    with pytest.raises(ValueError, match=text):
        attack(**{"knowledge": "own", "stage": "message"} | declared)


@pytest.mark.parametrize(
    "returned, found",
    [
        (None, "got NoneType"),
        (1.0, r"got float of shape \(\) and type float64"),
        (np.ones(4), r"got ndarray of shape \(4,\)"),
        (np.ones((2, 3)), r"got ndarray of shape \(2, 3\)"),
        (np.ones((1, 4)), r"got ndarray of shape \(1, 4\)"),
        (np.ones((2, 4), complex), "type complex128"),
        (np.ones((2, 4), bool), "type bool"),
        ([[1, 2, 3, 4], [1]], "got a list with rows of different lengths"),
        ("rows", "got str"),
    ],
)
def test_what_an_attack_returns_is_checked(returned, found):
    @attack(knowledge="own", stage="gradient")
    def mine(view):
        return returned

    expected = r"attack '.*:mine': expected an array of real numbers of shape \(2, 4\), .* " + found
    with pytest.raises(ValueError, match=expected):
        mine(View(OWN, (), 5))


@pytest.mark.parametrize(
    "rows", [OWN.astype(float), OWN.tolist(), np.full((2, 4), np.nan), 2 * OWN]
)
def test_any_matrix_of_real_numbers_is_sent_as_float32(rows):
    sent = attack(knowledge="own", stage="gradient")(lambda view: rows)(View(OWN, (), 5))
    assert sent.dtype == np.float32 and np.array_equal(sent, rows, equal_nan=True)


@pytest.mark.parametrize(
    "labels, text",
    [
        (LABELS + 1, "'mine:relabel': expected labels from 0 to 3, got labels from 1 to 4"),
        (LABELS - 1, "got labels from -1 to 2"),
        (LABELS / 2, "expected an array of whole numbers .* got ndarray .* float64"),
    ],
)
def test_labels_are_whole_numbers_below_the_number_of_classes(labels, text):
    def relabel(view):
        return labels

    relabel.__module__ = "mine"
    with pytest.raises(ValueError, match=text):
        attack(knowledge="own", stage="data")(relabel)(View(LABELS, (), 5, n_classes=4))
