"""One bit per coordinate in anyone's Flower app: a mod around the client's own functions."""

from __future__ import annotations

from dataclasses import dataclass
from logging import getLogger
from typing import cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from signfed.clients.mods import once
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.transport import plain
from signfed.strategies.server.transport.layout import Layout, still_text

log = getLogger("signfed")
_said: set[str] = set()  # what this process has logged

MEMORY = "signfed-error"  # in context.state: what the signs sent so far have lost


def left_over(vector: np.ndarray) -> np.ndarray:
    """Return what the scaled sign of a vector loses of it.

    e = p - (||p||_1 / N) sign(p), with sign(0) = +1

    Parameters
    ----------
    vector : ndarray, float32 [N]
        p, finite.

    Returns
    -------
    ndarray, float32 [N]

    Examples
    --------
    >>> left_over(np.array([3.0, -1.0], np.float32))
    array([1., 1.], dtype=float32)

    References
    ----------
    Karimireddy et al. 2019 (EF-signSGD), Algorithm 1.

    Notes
    -----
    Deviation: the scale stays on the node, since the server steps along a vote of bare signs.
    """
    scale = np.abs(vector).mean(dtype=np.float64).astype(np.float32)
    return vector - np.where(vector >= 0, scale, -scale)


@dataclass(frozen=True)
class OneBit:
    """Send the signs of the client's update, one bit per coordinate, if the strategy asks for it.

    `ClientApp(mods=[OneBit()])`: the client's train function gets the model and returns a model, as
    ever. The mod replaces the arrays of its reply by the packed signs of x - y. Integers, truth
    values and what the strategy names as statistics travel as they are. Under a strategy that does
    not ask for signs it does nothing.

    Parameters
    ----------
    both : bool
        Whether the node keeps the model between rounds and takes the server's steps itself, so that
        the model comes down as packed signs, too.
    feedback : bool
        Error feedback: what the signs lose of an update is added to the next one, see `left_over`.

    References
    ----------
    Bernstein et al. 2019 (signSGD with majority vote), for one local step.

    Notes
    -----
    Deviation: with several local steps the signs are those of their sum, which no analysis of the
    sign rules covers.
    """

    both: bool = False
    feedback: bool = False

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Call the client's function between unpacking and packing.

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
        said = plain.header(message.content)
        sent = plain.array_records(message.content)
        if said.get("encoder") != "sign" or len(sent) != 1:
            return call_next(message, context)
        remembers = self.both or self.feedback
        if remembers and (again := once.answered(message, context, MEMORY)):
            return again
        [(name, model)] = sent.items()
        if self.both:
            from signfed.clients.mods import kept_model  # loads torch, which other mods do without

            try:
                model = kept_model.followed(model, said, context)
            except kept_model.CannotFollow as lack:
                # Delivered again after its remedy, it could be followed.
                once.keep(message, context, MEMORY)
                return plain.lacking_reply(message, lack.held)
        records = {n: record for n, record in message.content.items() if n != plain.OURS}
        request = plain.with_content(message, RecordDict({**records, name: model}))
        reply = call_next(request, context)
        if reply.has_error():
            return reply
        trains = message.metadata.message_type.split(".")[0] == MessageType.TRAIN
        if trains and len(plain.array_records(reply.content)) == 1:
            reply = self._signed(reply, model, said, context)
        if self.both and said["keep"]:
            version = cast(int, said["version"])
            kept_model.keep(model, version, context)
            reply.content[plain.OURS] = ConfigRecord(
                {**plain.header(reply.content), "version": version}
            )
        if remembers:
            once.keep(message, context, MEMORY, reply if self.feedback and trains else None)
        return reply

    def _signed(
        self, reply: Message, model: ArrayRecord, said: ConfigRecord, context: Context
    ) -> Message:
        """The client's reply with packed signs; as it is, where its arrays are other ones."""
        layout = Layout(model, cast(list[str], said["beside"]))
        [made] = plain.array_records(reply.content).values()
        if set(made) != layout.names:
            return reply  # the server refuses it, and says what it expected
        update = np.empty(layout.n_coordinates, np.float32)
        layout.update(layout.values(model), made, update)
        if not np.isfinite(update).all():
            return plain.answered(reply, None, **{"non-finite": True})
        if (still := layout.unchanged(update)) and (text := still_text(still)) not in _said:
            _said.add(text)
            log.warning("%s", text)
        if self.feedback:
            if MEMORY in context.state:
                update += cast(ArrayRecord, context.state[MEMORY])["error"].numpy()
            context.state[MEMORY] = ArrayRecord({"error": Array(left_over(update))})
        beside = {form.name: made[form.name] for form in layout.beside}
        signs = Array(SignCodec().encode(update))
        return plain.answered(reply, ArrayRecord({plain.SIGNS: signs, **beside}))


def one_bit(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Send the client's update as packed signs: `ClientApp(mods=[signfed.one_bit])`.

    See `OneBit`.

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
    return OneBit()(message, context, call_next)


def one_bit_both(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Send packed signs, and keep the model so that it comes down as packed signs, too.

    `ClientApp(mods=[signfed.one_bit_both])`; see `OneBit(both=True)`.

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
    return OneBit(both=True)(message, context, call_next)
