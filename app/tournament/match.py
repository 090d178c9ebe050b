"""One match: a rule trains on digits while f of 15 workers do what an attack says."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from signfed.app.check.table import on_digits
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.redteam.scores import final_scores
from signfed.app.runs.versions import versions
from signfed.app.tournament.entries import Entry
from signfed.app.tournament.fence import Limits
from signfed.app.tournament.host import Host, Lost
from signfed.app.tournament.remote import RemoteRule, remote_attack
from signfed.attacks import Attack
from signfed.strategies.server.strategy import RobustStrategy

SAMPLES = 100  # of the server's own, for a rule that needs its gradient


@dataclass(frozen=True)
class Game:
    """What all matches of a tournament have in common.

    Attributes
    ----------
    num_workers, num_rounds : int
    seed : int
        That rules get; the training has another one.
    limits : Limits
    """

    num_workers: int = 15
    num_rounds: int = 100
    seed: int = 0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Match:
    """Who plays, with how many Byzantine workers, and in what game."""

    rule: Entry
    attack: Entry
    n_byzantine: int
    game: Game

    @property
    def key(self) -> str:
        """What its result depends on, as a digest."""
        parts = [
            self.rule.name, self.rule.digest, self.attack.name, self.attack.digest,
            self.n_byzantine, asdict(self.game), sorted(versions().items()),
        ]  # fmt: skip
        return sha256(repr(parts).encode()).hexdigest()[:16]

    @property
    def names(self) -> dict[str, Any]:
        """Who plays, as JSON values."""
        return {"rule": self.rule.name, "attack": self.attack.name, "f": self.n_byzantine}


def play(match: Match, secret: int) -> dict[str, Any]:
    """Play a match.

    Parameters
    ----------
    match : Match
    secret : int
        The seed of the training, and of the order in which a rule sees the coordinates. No
        submission gets it. Matches are comparable if they have the same one.

    Returns
    -------
    dict
        `rule`, `attack`, `f`; `accuracy`, of the model at the end, None where the match was broken
        off; `lost_by` ("rule", "attack" or None) and `reason`; `seconds` in all, `rule_seconds` and
        `attack_seconds` that submissions were waited for; `fences` that stood; `key`.
    """
    found: dict[str, Any] = {
        **match.names, "accuracy": None, "lost_by": None, "reason": "", "fences": {},
        "key": match.key,
    }  # fmt: skip
    hosts: dict[str, Host] = {}
    started = time.monotonic()
    with ExitStack() as stack:

        def hosted(entry: Entry) -> Host:
            hosts[entry.kind] = stack.enter_context(Host(entry, match.game.limits))
            return hosts[entry.kind]

        try:
            attack = remote_attack(hosted(match.attack)) if match.attack.source else None
            rule = _remote(hosted(match.rule), match, secret) if match.rule.source else None
            found["accuracy"] = _accuracy(match, secret, rule, attack)
        except Lost as lost:
            found["lost_by"], found["reason"] = lost.entry.kind, lost.reason
    for kind, host in hosts.items():
        found[f"{kind}_seconds"] = round(host.seconds, 3)
        found["fences"] = host.fences
    return {**found, "seconds": round(time.monotonic() - started, 3)}


def _remote(host: Host, match: Match, secret: int) -> RemoteRule:
    game = match.game
    return RemoteRule(host, match.n_byzantine, game.seed, game.num_workers, game.num_rounds, secret)


def _accuracy(match: Match, secret: int, remote: RemoteRule | None, attack: Attack | None) -> float:
    game = match.game
    config: dict[str, Any] = {
        "seed": secret, "num-workers": game.num_workers, "num-byzantine": match.n_byzantine,
        # A submission is not named in the config: it takes the place of what is.
        "strategy": "sign-mv" if remote else match.rule.name,
        "attack": "sign-inversion" if attack else match.attack.name,
    }  # fmt: skip
    rule: RobustStrategy = remote or build_strategy(parse(config))
    config |= on_digits(game.num_rounds, rule)
    if rule.needs_reference:
        config["server-samples"] = SAMPLES
    return final_scores(config, rule, attack)[0]
