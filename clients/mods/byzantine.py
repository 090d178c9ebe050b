"""A Byzantine worker in anyone's Flower app: a mod that falsifies what the client sends."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from signfed.attacks import Attack, Findings, KnowledgeError
from signfed.attacks.core.past import Past, recalled, remembered
from signfed.attacks.core.seeing import view_of
from signfed.attacks.core.view import knows
from signfed.attacks.registry import build
from signfed.clients.mods import once
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.seeds import generator
from signfed.strategies.server.transport import plain, wire
from signfed.strategies.server.transport.layout import Layout

# An honest row, float32 [N], and the model where it is known -> what is sent.
Falsify = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
KEPT = "signfed.byzantine"  # what an attack remembers, in the node's state


def byzantine(
    name: str,
    *,
    partitions: Collection[int] | None = None,
    seed: int = 0,
    n_total: int = 0,
    lr: float = 1.0,
    **options: object,
) -> Byzantine:
    """Make a mod that turns a client into a Byzantine worker.

    An attack of knowledge "colluders" sees its own node's update alone, in the place of all
    colluders', and draws the same numbers as they do: weaker than where they know one another's.

    Parameters
    ----------
    name : str
        Name of the attack, or `module:function` for your own.
    partitions : collection of int, optional
        The `partition-id`s of the nodes that attack; all by default.
    seed : int
        Of what the attack draws, with the node's partition (without one, its node id) and the
        round.
    n_total : int
        Number of workers, where the attack asks for it. 0 stands for the node's `num-partitions`.
    lr : float
        The server's learning rate, by which an attack that looks back tells the last direction
        from two models. It keeps them in the node's `context.state`.
    **options
        Of the attack, as for `craft`.

    Returns
    -------
    Byzantine
        For `ClientApp(mods=[...])`; inside of `signfed.one_bit`, unless the attack is one on the
        message.

    Raises
    ------
    ValueError
        For an unknown name, a value outside its range, or an attack on labels, which a mod does not
        see.
    KnowledgeError
        For an attack that knows more than a node does.

    Examples
    --------
    >>> byzantine("sign-inversion", partitions=range(3)).attack.name
    'sign-inversion'
    """
    attack = build(name, **options)
    if not knows("colluders", attack.knowledge):
        raise KnowledgeError(
            f"byzantine: attack {name!r} has knowledge {attack.knowledge!r}, and a node knows its "
            "own update alone; expected an attack of knowledge own or colluders, or signfed's own "
            "app"
        )
    if any(each.stage == "data" for each in _with_parts(attack)):
        raise ValueError(
            f"byzantine: attack {name!r} changes labels, which a mod does not see; change them "
            "where your client loads its data"
        )
    if not (np.isfinite(lr) and lr > 0):
        raise ValueError(f"byzantine: lr: expected a finite number above 0; got {lr!r}")
    chosen = None if partitions is None else frozenset(partitions)
    return Byzantine(attack, chosen, seed, n_total, lr)


@dataclass(frozen=True)
class Byzantine:
    """A mod that sends what an attack makes of the client's honest update; see `byzantine`."""

    attack: Attack
    partitions: frozenset[int] | None
    seed: int
    n_total: int
    lr: float = 1.0

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Have the client train honestly, and falsify its reply.

        Parameters
        ----------
        message : Message
            From the server.
        context : Context
            The node's.
        call_next : callable
            The client's function, or the next mod.

        Returns
        -------
        Message
            The reply.
        """
        if again := once.answered(message, context, KEPT):
            return again
        reply = call_next(message, context)
        partition = context.node_config.get("partition-id")
        trains = message.metadata.message_type.split(".")[0] == MessageType.TRAIN
        listed = self.partitions is None or partition in self.partitions
        if not (trains and listed) or reply.has_error() or not plain.array_records(reply.content):
            return reply
        worker = context.node_id if partition is None else int(partition)
        server_round = _round(message)
        attack, active = self.attack.at(server_round, self.seed, (worker,))
        if not active:
            return reply
        n_total = self.n_total or int(context.node_config.get("num-partitions", 1))

        def falsified(own: np.ndarray, held: np.ndarray | None) -> np.ndarray:
            past = self._past(attack, held, context) if attack.past else None
            # Colluders see one row each, their own; what they have in common is what they draw.
            keys = (worker,) if attack.knowledge == "own" else ()
            view = view_of(
                attack,
                (worker,),
                lambda _: own,
                lambda _: generator(self.seed, "attack", *keys, server_round),
                asked=(worker,),
                n_total=n_total,
                server_round=server_round,
                truth=lambda: own,
                past=past,
                rehearse=_unknown,
                findings=Findings(),
                n_classes=None,
            )
            row = attack(view)[0]
            if past:
                kept = _kept(context) | remembered(past, attack.name)
                context.state[KEPT] = ArrayRecord({n: Array(value) for n, value in kept.items()})
            return row

        [arrays] = plain.array_records(reply.content).values()
        if plain.SIGNS in arrays:
            false = _false_signs(attack, arrays, plain.header(message.content), falsified)
        else:
            [model] = plain.array_records(message.content).values()
            false = _false_model(model, arrays, falsified)
        answer = plain.answered(reply, false, byzantine=True)
        if attack.past:
            once.keep(message, context, KEPT, answer)
        return answer

    def _past(self, attack: Attack, held: np.ndarray | None, context: Context) -> Past:
        if held is None:
            raise ValueError(
                f"byzantine: attack {attack.name!r} looks back at earlier models, which are not in "
                "signs; expected mods=[signfed.one_bit, signfed.byzantine(...)], in this order"
            )
        return recalled(_kept(context), attack.name, held, self.lr, self.seed)


def _kept(context: Context) -> dict[str, np.ndarray]:
    """What all attacks of the node remember: those that take turns do not wipe one another out."""
    record = plain.array_records(context.state).get(KEPT)
    return {name: array.numpy() for name, array in record.items()} if record else {}


def _false_signs(
    attack: Attack, arrays: ArrayRecord, said: ConfigRecord, falsified: Falsify
) -> ArrayRecord:
    if attack.stage != "message":
        raise ValueError(
            f"byzantine: attack {attack.name!r} changes the update before it becomes signs; "
            "expected mods=[signfed.one_bit, signfed.byzantine(...)], in this order"
        )
    codec, n = SignCodec(), cast(int, said["coordinates"])
    row = wire.own_array(arrays[plain.SIGNS])
    false = codec.encode(falsified(codec.decode(row, n), None))
    return ArrayRecord({**arrays, plain.SIGNS: Array(false)})


def _false_model(model: ArrayRecord, made: ArrayRecord, falsified: Falsify) -> ArrayRecord:
    """The model that the node claims to have made: x - u', in the arrays' own dtypes.

    Those of the reply: Flower's FedAvg turns integers into floats, and the client turns them back.
    """
    layout, given = Layout(made), Layout(model)
    if layout.names != given.names:
        raise ValueError("byzantine: expected a reply with the arrays of the request")
    before = given.values(model)
    update = np.empty(layout.n_coordinates, np.float32)
    layout.update(before, made, update)
    held = np.concatenate([before[form.name].ravel() for form in layout.vector], dtype=np.float32)
    with np.errstate(over="ignore"):
        false = held - falsified(update, held)
    return layout.arrays(false, layout.values(made, beside=True))


def _with_parts(attack: Attack) -> list[Attack]:
    return [attack, *(each for part in attack.made_of for each in _with_parts(part))]


def _unknown(peers: object, sent: object) -> np.ndarray:
    """Stand for the rule, which no node can ask."""
    raise KnowledgeError("byzantine: a node has no rule that it could ask")


def _round(message: Message) -> int:
    """The round as Flower's strategies tell it; 1 where they do not."""
    records = [r for r in message.content.values() if isinstance(r, ConfigRecord)]
    found = [r["server-round"] for r in records if "server-round" in r]
    return int(cast(int, found[0])) if found else 1
