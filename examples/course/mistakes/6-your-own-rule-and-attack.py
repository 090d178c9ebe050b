# Wrong answers to lesson 6. The tests prove that none of them gets the points.

# %% exercise="rule" mistake="the mean"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        return updates.dense().mean(dim=0)


# %% exercise="rule" mistake="worker 0 is trusted"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        return updates.dense()[0]


# %% exercise="rule" mistake="the rows are shortened in place"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        rows = updates.dense()
        norms = rows.norm(dim=1, keepdim=True)
        rows *= (norms.median() / norms.clamp(min=1e-9)).clamp(max=1)
        return rows.quantile(0.5, dim=0)


# %% exercise="rule" mistake="no row is longer than the mean length, which a huge row moves"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        rows = updates.dense()
        norms = rows.norm(dim=1, keepdim=True)
        return (rows * (norms.mean() / norms.clamp(min=1e-9)).clamp(max=1)).mean(dim=0)


# %% exercise="rule" mistake="the opposite of the answer"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"

    def aggregate(self, updates):
        return -updates.dense().quantile(0.5, dim=0)


# %% exercise="attack" mistake="far away: no near neighbours"
# %%writefile my_attack.py
import numpy as np

import signfed


@signfed.attack(knowledge="omniscient", stage="gradient")
def my_attack(view):
    return np.tile(-10 * view.honest.mean(axis=0), (len(view.own), 1))


# %% exercise="attack" mistake="too little"
# %%writefile my_attack.py
import numpy as np

import signfed


@signfed.attack(knowledge="omniscient", stage="gradient")
def my_attack(view):
    row = view.honest.mean(axis=0) - 0.1 * view.honest.std(axis=0)
    return np.tile(row, (len(view.own), 1))


# %% exercise="attack" mistake="another row at every call"
# %%writefile my_attack.py
import numpy as np

import signfed


@signfed.attack(knowledge="omniscient", stage="gradient")
def my_attack(view):
    z = 1.5 + 0.01 * np.random.default_rng().random()
    return np.tile(view.honest.mean(axis=0) - z * view.honest.std(axis=0), (len(view.own), 1))


# %% exercise="attack" mistake="four rows of five colluders: an error is no harm"
# %%writefile my_attack.py
import numpy as np

import signfed


@signfed.attack(knowledge="omniscient", stage="gradient")
def my_attack(view):
    return np.tile(view.honest.mean(axis=0) - 1.5 * view.honest.std(axis=0), (4, 1))


# %% exercise="attack" mistake="nothing is changed"
# %%writefile my_attack.py
import signfed


@signfed.attack(knowledge="own", stage="gradient")
def my_attack(view):
    return view.own
