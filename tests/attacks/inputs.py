"""What the tests of attacks have in common."""

import numpy as np

from signfed.attacks import ATTACKS, Past, build, craft, knows

OWN = np.array([[1.0, -2.0, 0.0, -0.5], [-3.0, 4.0, 5.0, -6.0]], np.float32)
LABELS = np.array([[0, 1, 2, 3], [3, 3, 0, 1]])
IMAGES = np.random.default_rng(5).random((2, 4, 3, 6, 5), np.float32)  # those the labels belong to


def randn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def matrix(*rows):
    return np.array(rows, np.float32)


def crafted(name, own=OWN, honest=None, **options):
    n_total = len(own) + (3 if honest is None else len(honest))
    return craft(name, own, honest, **{"n_total": n_total, "seed": 0} | options)


def coins(*shape, seed=0):
    return np.where(randn(*shape, seed=seed) < 0, -1.0, 1.0).astype(np.float32)


def sent_by_all(name, honest, n_attackers=2, **options):
    """The one row that all attackers send; their own rows are drawn, and must not matter."""
    own = randn(n_attackers, honest.shape[1], seed=77)
    sent = crafted(name, own, honest, **options)
    assert sent.dtype == np.float32
    assert all(row.tobytes() == sent[0].tobytes() for row in sent)
    return sent[0]


def past_of(n_coordinates, order=None, **kept):
    """A model and what the server did last, drawn; with their coordinates in that order."""
    model, direction = randn(2, n_coordinates, seed=31)
    order = slice(None) if order is None else order
    return Past(model[order], direction[order], dict(kept), secret=5)


def call(name, honest=None, own=OWN, **options):
    """Any attack of the table, with all that it needs; its own rows are labels where it must be."""
    if ATTACKS[name].stage == "data":
        labels = own if own.dtype == int else LABELS[: len(own)]
        images = IMAGES[: len(own)]
        return crafted(name, labels, n_classes=4, images=images, **options).labels
    if ATTACKS[name].rule:
        options = {"rule": lambda rows: np.median(rows, axis=0)} | options
    if name == "time-varying":
        options = {"attacks": "random,lie,sleeper"} | options  # labels are no rows
    if knows(build(name).knowledge, "omniscient") and honest is None:
        honest = randn(3, own.shape[1], seed=9)
    if build(name).past:
        options = {"past": past_of(own.shape[1])} | options
    return crafted(name, own, honest, **options)
