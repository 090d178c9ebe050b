"""The attack of a run: what it has to know, and what can be known where its clients run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from signfed.app.config.plugins import Plugin, attack_plugin
from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.app.task import Task
from signfed.attacks import Attack, Knowledge, build, knows


def built(plugin: Plugin) -> Attack:
    """Return the attack with its options."""
    return build(plugin.name, **dict(plugin.options))


def fitting_attack(values: Mapping[str, Any], keys: Shared, task: Task) -> Plugin:
    """Return the chosen attack, known to fit the task.

    Parameters
    ----------
    values : mapping
        Every key, checked.
    keys : Shared
        The shared ones among them.
    task : Task
        What the run computes on.

    Raises
    ------
    ConfigError
        When it changes labels, or images, that the task does not have, when its period is an
        epoch whose length nobody knows yet, or when it copies a worker that does not exist.
    """
    if task.samples and not task.num_train and values["time-varying.period"] == 0:
        raise ConfigError(
            "time-varying.period: 0 stands for an epoch, whose length is not known before your own "
            "data are loaded; expected a number of rounds"
        )
    honest = keys.num_workers - keys.num_byzantine
    if values["mimic.target"] >= max(honest, 1):
        raise ConfigError(
            f"mimic.target: expected -1 or an index below {honest}, the number of honest workers; "
            f"got {values['mimic.target']}"
        )
    holders = 1 if keys.partition == "shared" else keys.num_workers
    held = ((task.num_train or 1) - keys.server_samples - keys.validation_samples) // holders
    plugin = attack_plugin(values, epoch=math.ceil(held / keys.batch_size) or 1)
    attack = built(plugin)
    parts = [part for name in attack.parts for part in attack.options[name]] or [attack]
    if not task.samples and any(part.stage == "data" for part in parts):
        raise ConfigError(
            f"attack={plugin.name!r}: changes labels, and task={keys.task!r} has none"
        )
    if task.num_classes:  # of a task whose data are known before they are loaded
        check_trigger(plugin, keys.task, task.sides, task.num_classes)
    return plugin


def check_reach(plugin: Plugin, reach: Knowledge) -> None:
    """Raise ConfigError when the attack asks for more than can be known where its clients run.

    Parameters
    ----------
    plugin : Plugin
        The attack.
    reach : Knowledge
        The most that can be known there.
    """
    attack = built(plugin)
    knowledge = attack.knowledge
    if attack.rule and reach != "server":
        raise ConfigError(
            f"attack={plugin.name!r}: asks the server's rule what it would make of a round, which "
            "no Flower client can; use --engine local"
        )
    if not knows(reach, knowledge):
        where = {"colluders": "a real device", "omniscient": "a Flower client"}[reach]
        remedy = "run it as a simulation" if knowledge == "omniscient" else "use --engine local"
        raise ConfigError(
            f"attack={plugin.name!r}: needs knowledge {knowledge!r}, {where} can have at "
            f"most {reach!r}; {remedy}"
        )


def check_memory(plugin: Plugin, workers_remember: bool, reach: Knowledge) -> None:
    """Raise ConfigError when the attack asks for rows that depend on what others remember.

    Parameters
    ----------
    plugin : Plugin
        The attack.
    workers_remember : bool
        Whether what honest workers send depends on earlier rounds.
    reach : Knowledge
        The most that can be known where the clients run.
    """
    if workers_remember and reach != "server" and built(plugin).knowledge != "own":
        raise ConfigError(
            f"attack={plugin.name!r}: needs other workers' updates, and with worker-momentum or "
            "encoder='top-k' these depend on rounds that only the workers themselves remember; no "
            "Flower client can compute them. Use --engine local, or worker-momentum=0 and another "
            "encoder"
        )


def check_trigger(
    plugin: Plugin, task: str, sides: tuple[int, int] | None, num_classes: int | None
) -> None:
    """Raise ConfigError when the attack has a backdoor that the task's samples cannot have.

    Parameters
    ----------
    plugin : Plugin
        The attack.
    task : str
        Name of the task.
    sides : (int, int) or None
        Height and width of its samples, where they are images.
    num_classes : int or None
        None where that is not known.
    """
    label, trigger = f"attack={plugin.name!r}", built(plugin).trigger
    if trigger is None:
        return
    if sides is None:
        raise ConfigError(
            f"{label}: changes images, and task={task!r} has none; a data set of your own tells "
            "that it has by Dataset(..., sides=(height, width))"
        )
    if num_classes is not None and trigger.target >= num_classes:
        raise ConfigError(
            f"{label}: expected a target below {num_classes}, the number of classes of "
            f"task={task!r}; got {trigger.target}"
        )
    black = np.zeros((1, 1, *sides), np.float32)
    try:
        found = np.shape(trigger.stamp(black))
    except ValueError as error:
        raise ConfigError(f"{label}: {error}") from error
    if found != black.shape:
        raise ConfigError(f"{label}: expected images {black.shape} with its trigger; got {found}")


def check_hosts(plugin: Plugin, byzantine: set[int], hosted: list[tuple[int, ...]]) -> None:
    """Raise ConfigError when attackers that have to collude sit on several devices.

    Parameters
    ----------
    plugin : Plugin
        The attack.
    byzantine : set of int
        The Byzantine workers.
    hosted : list
        The workers of each device.
    """
    knowledge = built(plugin).knowledge
    together = any(byzantine <= set(workers) for workers in hosted)
    if byzantine and knowledge != "own" and not together:
        raise ConfigError(
            f"attack={plugin.name!r}: attackers who know one another's updates have to be "
            f"on one device; workers {sorted(byzantine)} are on several"
        )
