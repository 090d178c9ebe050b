# What all lessons start with; masters include it.

# %% [markdown]
# ## How to work with this notebook
#
# Run the cells one after another from the top (Shift+Enter). The next one loads the data and defines `gradient`,
# `gradients` and `train`, which the lesson uses; you may skip its details.
#
# An exercise is three cells: the **task**; **your answer**, in which your code replaces the line
# `raise NotImplementedError` (keep the name and the arguments); and **tests** of its basics. If the tests print
# nothing, these are right; if not, the last line of the error says what is wrong. When the notebook is graded, more
# tests look at the edges: zeros, ties, sizes that do not divide. No exercise needs the answer to another one.

# %% part="setup"
import json
import logging
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import signfed
from sklearn.datasets import load_digits

logging.getLogger("signfed").setLevel(logging.ERROR)  # no warnings between the pictures
WORKERS = 15
pixels, labels = load_digits(return_X_y=True)  # 1,797 images of 8 x 8, with scikit-learn
pixels = pixels / 16
shards = [np.arange(worker, 1500, WORKERS) for worker in range(WORKERS)]  # who holds what


def gradient(model, rows):
    """The gradient of softmax regression on these images: as long as the model, 64 * 10."""
    scores = pixels[rows] @ model.reshape(64, 10)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(rows)), labels[rows]] -= 1
    return (pixels[rows].T @ shares / len(rows)).ravel().astype(np.float32)


def gradients(model, seed, images=16):
    """One row a worker, [15, 640]: its gradient on some of its own images."""
    draws = np.random.default_rng(seed)
    return np.stack([gradient(model, draws.choice(shard, images)) for shard in shards])


def train(**config):
    """Train a small network on the digits with signfed; returns the run and its rounds."""
    keys = {name.replace("__", ".").replace("_", "-"): value for name, value in config.items()}
    folder = Path(tempfile.mkdtemp()) / "run"
    run = signfed.run({"device": "cpu", "num-rounds": 100, "out-dir": str(folder)} | keys)
    lines = (folder / "rounds.jsonl").read_text().splitlines()
    return run, [json.loads(line) for line in lines]


def curve(rounds):
    """The rounds in which the test accuracy was measured, and what it was."""
    measured = [record for record in rounds if "test_accuracy" in record]
    return [r["round"] for r in measured], [r["test_accuracy"] for r in measured]
