"""All workers' gradients from one pass through the network, since they share its parameters.

`gradients.py` draws `batches.py` and runs `one_pass.py` on them; `interception.py` gives torch's
functions of parameters the forms that stand, a file for each kind, in `conv.py`, `linear.py`,
`batch_norm.py`, `norms.py`, `embedding.py` and `expand.py`; `layout.py` says whose samples are
which, and `sink.py` takes the gradients by worker. `trial.py` holds a network to the loop before a
run, also by vmap; `graph.py` is for a GPU.
"""

from signfed.app.task.shared.gradients import SharedGradients
from signfed.app.task.shared.shared_pass import NotShared
from signfed.app.task.shared.trial import check, difference

__all__ = ["NotShared", "SharedGradients", "check", "difference"]
