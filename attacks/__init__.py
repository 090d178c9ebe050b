"""What Byzantine workers send: pure functions on arrays, each with the knowledge that it needs.

Examples
--------
>>> craft("sign-inversion", [[1.0, -2.0]], n_total=3, seed=0)
array([[-1.,  2.]], dtype=float32)
"""

from signfed.attacks.core.attack import Attack, attack
from signfed.attacks.core.data import Batch, Trigger
from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past
from signfed.attacks.core.view import Knowledge, KnowledgeError, View, knows
from signfed.attacks.crafting import craft
from signfed.attacks.registry import ATTACKS, build, find

__all__ = [
    "ATTACKS",
    "Attack",
    "Batch",
    "Findings",
    "Knowledge",
    "KnowledgeError",
    "Past",
    "Trigger",
    "View",
    "attack",
    "build",
    "craft",
    "find",
    "knows",
]
