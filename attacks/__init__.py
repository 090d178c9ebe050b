"""What a lying node sends: pure functions on arrays, each with the knowledge that it needs.

>>> import numpy as np
>>> craft("sign-inversion", np.array([[1.0, -2.0]], dtype=np.float32), n_total=3, seed=0)
array([[-1.,  2.]], dtype=float32)
"""

from signfed.attacks.core.view import Attack, Knowledge, KnowledgeError, View, attack, knows
from signfed.attacks.registry import ATTACKS, build, craft, find

__all__ = [
    "ATTACKS",
    "Attack",
    "Knowledge",
    "KnowledgeError",
    "View",
    "attack",
    "build",
    "craft",
    "find",
    "knows",
]
