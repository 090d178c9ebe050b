"""Run folders and sweeps made by hand, for reports."""

import json


def line(t, **more):
    """A round of a run with three workers, of whom 0 is Byzantine."""
    return {
        "round": t, "nodes": 3, "received": 3, "dropped": {}, "uplink_bytes": 1_000_000,
        "downlink_bytes": 500_000, "seconds": {"clients": 0.1, "server": 0.01},
    } | more  # fmt: skip


ROUNDS = [
    line(1, accepted=[0, 1, 2], crossover={"0": 0.5, "1": 0.4, "2": 0.4}, wrong_signs=0.2,
         byzantine_accepted=1.0, honest_rejected=0.0),
    line(2, accepted=[1, 2], crossover={"0": 0.7, "1": 0.3, "2": 0.2}, wrong_signs=0.1,
         byzantine_accepted=0.0, honest_rejected=0.0, test_accuracy=0.5, test_loss=1.5),
    line(3, received=2, dropped={"no-reply": [2]}, accepted=[1], wrong_signs=0.1,
         crossover={"0": 0.8, "1": 0.25}, test_accuracy=0.75, test_loss=0.5,
         byzantine_accepted=0.0, honest_rejected=0.0),
    line(4, accepted=[0], broken_assumption="2 of 3 rejected <b>", test_accuracy=0.625,
         test_loss=0.75),
]  # fmt: skip
CONFIG = {
    "task": "digits", "strategy": "sign-fd", "attack": "sign-inversion", "num-workers": 3,
    "num-rounds": 4, "seed": 7, "lr": 0.25, "momentum": 0.0, "out-dir": "/somewhere",
}  # fmt: skip
SUMMARY = {
    "status": "finished", "rounds": 4, "final_test_accuracy": 0.625, "best_test_accuracy": 0.75,
    "final_test_loss": 0.75, "byzantine_accepted": 1 / 3, "honest_rejected": 0.0,
    "wrong_signs": 0.133, "parameters": 100, "uplink_bits_per_parameter": 1.0,
    "downlink_bits_per_parameter": 1.0, "model_sha256": "ab" * 32, "seconds": 1.5,
}  # fmt: skip


def run_folder(path, rounds=ROUNDS, config=CONFIG, summary=SUMMARY, byzantine=(0,)):
    """Write a run folder; None leaves a file out."""
    path.mkdir(parents=True)
    if config is not None:
        described = {
            "config": config,
            "byzantine_ids": list(byzantine),
            "versions": {"torch": "2", "signfed": "1"},
        }
        (path / "config.json").write_text(json.dumps(described))
    if rounds is not None:
        (path / "rounds.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rounds))
    if summary is not None:
        (path / "summary.json").write_text(json.dumps(summary))
    return path


def sweep_folder(path, n_seeds=2):
    """Two rules, two attacks and seeds; one cell failed, one was never run."""
    cells = []
    for r, rule in enumerate(("krum", "mean")):
        for a, attack in enumerate(("lie", "ipm")):
            for seed in range(n_seeds):
                keys = {"strategy": rule, "attack": attack, "seed": seed}
                cells.append({"id": f"{rule}{attack}{seed}", "keys": keys})
                worth = 0.9 - 0.1 * r - 0.2 * a + 0.02 * seed
                rounds = [line(t, test_accuracy=worth * t / 2) for t in (1, 2)]
                summary = {"status": "finished", "rounds": 2, "final_test_accuracy": worth}
                if cells[-1]["id"] == "meanipm1":
                    rounds, summary = rounds[:1], {"status": "failed", "error": "OSError: <full>"}
                if cells[-1]["id"] != "meanlie1":
                    place = path / "cells" / cells[-1]["id"]
                    run_folder(place, rounds, CONFIG | keys, summary)
    (path / "sweep.json").write_text(json.dumps({"name": "two", "engine": "local", "cells": cells}))
    return path


def cross(path, strategies, attacks, **config):
    """A sweep of rules and attacks under one seed, whose other keys are `config`."""
    cells = []
    for rule in strategies:
        for attack in attacks:
            keys = {"strategy": rule, "attack": attack, "seed": 0}
            cells.append({"id": f"{rule}{attack}", "keys": keys})
            run_folder(path / "cells" / f"{rule}{attack}", config=CONFIG | config | keys)
    (path / "sweep.json").write_text(json.dumps({"name": "x", "engine": "local", "cells": cells}))
    return path
