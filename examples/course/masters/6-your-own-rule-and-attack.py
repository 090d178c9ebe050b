# %% [markdown]
# # 6. Your own rule, and your own attack
#
# Here you write both sides, as files that any signfed run can use. `signfed check` examines them: it searches for the
# smallest rows on which a rule breaks a law that every robust rule keeps, and says what went wrong.
#
# *You need* lessons 2 and 5; PyTorch is used like NumPy. *Time*: 90 minutes and more, of which the computer works
# about a minute. *Afterwards* you have a rule and an attack to compete with.

# %% include="digits.py"

# %% part="setup"
import os
import subprocess
import sys


def check(name):
    """`signfed check NAME --laws`: every law that does not hold, and why; empty if all is well."""
    options = ["--laws", "--seconds", "15", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "signfed.app.cli", "check", name, *options],
        capture_output=True, text=True,
    )  # fmt: skip
    if not done.stdout.startswith("{"):  # there is no such rule or attack, or it cannot run
        return {"it runs": done.stderr[-1000:]}
    laws = json.loads(done.stdout)["laws"]
    broken = [law for law in laws if law["holds"] is False and law.get("must", True)]
    return {law["law"]: law.get("problem", law["says"]) for law in broken}


def accuracy(strategy, attack, **options):
    """The test accuracy after 60 rounds on digits, with five of fifteen workers Byzantine."""
    sys.dont_write_bytecode = True
    sys.path[:] = [os.getcwd(), *(path for path in sys.path if path != os.getcwd())]
    for name in ("my_rule", "my_attack"):  # as they are now
        sys.modules.pop(name, None)
    run, _ = train(strategy=strategy, attack=attack, num_byzantine=5, lr=0.3, num_rounds=60,
                   **options)  # fmt: skip
    return run.summary["final_test_accuracy"]


# %% [markdown]
# ## What a rule must keep
#
# The mean, first. Nothing to fear as long as all are honest:

# %%
print(check("mean"))

# %% [markdown]
# One row, a million times the opposite, and the mean goes wherever it is sent: *bounded movement* is broken, and the
# smallest counter-example has three rows of one number. What robust rules do instead, as the attackers become more:
# each line is the cosine between a rule's answer and the true gradient (1: same direction; below 0: the model gets
# worse), when so many of fifteen workers send ten times the opposite of the honest mean.

# %%
model = np.zeros(640, dtype=np.float32)
true = gradient(model, np.arange(1500))
rows = gradients(model, seed=0)
figure, axis = plt.subplots(figsize=(6, 3))
for rule in ("mean", "median", "geometric-median", "multi-krum"):
    cosines = []
    for f in range(8):
        sent = rows.copy()
        sent[:f] = -10 * rows[f:].mean(axis=0)
        admits = rule != "multi-krum" or len(rows) >= 2 * f + 3  # what it asks for
        answer = signfed.aggregate(rule, sent, n_byzantine=f) if admits else np.full(640, np.nan)
        cosines.append(answer @ true / np.linalg.norm(answer) / np.linalg.norm(true))
    axis.plot(cosines, "o-", ms=3, label=rule)
axis.axhline(0, color="k", lw=0.8)
axis.set(xlabel="attackers of 15", ylabel="cosine with the true gradient")
axis.legend(fontsize=8)
plt.show()

# %% [markdown] exercise="rule" points=6
# ### Exercise 1: a rule
#
# The next cell writes the file `my_rule.py`. Complete `aggregate`: `updates.dense()` is a tensor of float32, [n, N], one
# row a worker; return the direction, [N], against which the model takes its step. What is asked of the rule:
#
# - it keeps the laws of `signfed check`: what all send is the answer; the order of the workers does not matter; the
#   rows are not changed in place; a minority cannot take the answer far away; ...
# - five of fifteen workers that send the opposite, or $-30$ times their gradient, do not keep the model from reaching
#   0.7 on the digits.
#
# Rules that exist are allowed, but write it yourself. Ideas: per number, the value in the middle; or no row longer
# than the usual one, before you take a mean.


# %% part="answer"
# %%writefile my_rule.py
from signfed import RobustStrategy


class MyRule(RobustStrategy):
    encoder = "float32"  # workers send gradients

    def aggregate(self, updates):
        rows = updates.dense()
        # BEGIN SOLUTION
        norms = rows.norm(dim=1, keepdim=True)
        shortened = rows * (norms.median() / norms.clamp(min=1e-9)).clamp(max=1)
        return shortened.quantile(0.5, dim=0)
        # END SOLUTION


# %% part="tests"
broken = check("my_rule:MyRule")
assert not broken, broken

# %% part="hidden"
opposite = accuracy("my_rule:MyRule", "sign-flip")
assert opposite > 0.7, f"five of fifteen send the opposite: {opposite:.2f}"
far = accuracy("my_rule:MyRule", "reverse-scaling", reverse_scaling__factor=30.0)
assert far > 0.7, f"five of fifteen send -30 times their gradient: {far:.2f}"

# %% [markdown] exercise="attack" points=6
# ### Exercise 2: an attack
#
# `my_attack.py` attacks `multi-krum`, which averages the rows with the nearest neighbours. `view.own` are the honest
# gradients of your workers, [b, N]; `view.honest` those of all others. Return what yours send, [b, N]. What is asked:
#
# - it keeps the form of an attack: the same round gives the same rows, and they are not the honest ones;
# - `multi-krum` with five of fifteen attackers stays below 0.82 after 60 rounds, where it reaches 0.91 without.
#
# Far away rows will not do: they have no near neighbours. Look at lesson 5.


# %% part="answer"
# %%writefile my_attack.py
import numpy as np

import signfed


@signfed.attack(knowledge="omniscient", stage="gradient")
def my_attack(view):
    # BEGIN SOLUTION
    row = view.honest.mean(axis=0) - 1.5 * view.honest.std(axis=0)
    return np.tile(row, (len(view.own), 1))
    # END SOLUTION


# %% part="tests"
broken = check("my_attack:my_attack")
assert not broken, broken

# %% part="hidden"
reached = accuracy("multi-krum", "my_attack:my_attack")
assert reached < 0.82, f"multi-krum still reaches {reached:.2f}"

# %% [markdown]
# ## Where to go from here
#
# - `signfed check my_rule:MyRule` without `--laws` also searches for the smallest number of colluders that takes your
#   rule, measures its cost, and trains it under five attacks.
# - `signfed redteam` looks for the worst attack on it, and for the worst options of each.
# - `signfed tournament DIR` lets a class's files play: `DIR/attacks/*.py` against `DIR/rules/*.py`, each in a process of its own,
#   and a table of who stands ([docs/tournament.md](../../docs/tournament.md)).
# - `signfed run -c "strategy='my_rule:MyRule' attack='lie' lr=0.3"` runs it in Flower, with real messages.
# - The equations of all rules and attacks: `signfed list`, and one file each in `strategies/` and `attacks/`.
