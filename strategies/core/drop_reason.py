"""Why the server does not use what a worker sent, or did not send."""

from __future__ import annotations

from enum import StrEnum


class DropReason(StrEnum):
    """The reason under which a worker of the round is counted when it has no valid row.

    Examples
    --------
    >>> DropReason.NON_FINITE, str(DropReason("no-reply"))
    (<DropReason.NON_FINITE: 'non-finite'>, 'no-reply')
    """

    NO_NODE = "no-node"  # no connected node hosts the worker
    NO_REPLY = "no-reply"  # its node did not answer in time
    ERROR = "error"  # its node answered with an error
    WRONG_SENDER = "wrong-sender"  # another node answered in its place
    MALFORMED = "malformed"  # records are missing, unknown, or of the wrong type
    WRONG_ROUND = "wrong-round"
    FOREIGN_WORKER = "foreign-worker"  # the reply speaks for a worker of another node
    WRONG_DTYPE = "wrong-dtype"
    WRONG_SHAPE = "wrong-shape"
    MISSING_ROW = "missing-row"  # the reply speaks for some of its workers only
    PADDING_BITS = "padding-bits"  # the unused bits of a row of signs are not 0
    WRONG_COUNT = "wrong-count"  # a top-k row names more or fewer coordinates than it has values
    NON_FINITE = "non-finite"  # the row holds NaN or infinity, or the worker's gradient does
