"""Park & Lee 2024, Fig. 1: accuracy by the number of attacked workers; two attacks, two data."""

from __future__ import annotations

from collections.abc import Mapping

from signfed.app.experiments.experiment import Claim, Experiment, Setting
from signfed.app.experiments.items.fd import (
    AUGMENTED,
    BY,
    CIFAR10,
    CIFAR100,
    DIGITS,
    DIGITS_NOTE,
    ESTIMATOR,
    FALLING,
    FALLING_NOTE,
    FASHION,
    FASHION_NOTE,
    FD,
    MNIST,
    MNIST_NOTE,
    MV,
    NORMS,
    OURS,
    PAPER,
    ROUNDS,
    SHARDS,
    SHARED,
    SHARED_NOTE,
    ZERO,
    under_attack,
)
from signfed.app.experiments.items.fd_fig1_remarks import OF_A, OF_B, OF_C, OF_D
from signfed.app.experiments.judges import Judge, alike, each_of, falls, higher, learns
from signfed.app.experiments.sweep import Keys
from signfed.app.report.pictures import Lines

SCORE = "final_test_accuracy"
SIA: Keys = {"attack": "sign-inversion"}
SSFA: Keys = {"attack": "stochastic-sign-flip", "stochastic-sign-flip.probability": 0.5}
ALL = (MV, FD, OURS)
OF_SIA, OF_SSFA = (0, 3, 6, 7, 9), (0, 3, 6, 9, 12)
GRID = "L: the text names 9 and 12 only; "


def with_l(rule: Keys, *numbers: int) -> list[Keys]:
    """Return the cells of a rule with these L.

    Parameters
    ----------
    rule : mapping
    *numbers : int
    """
    return [{**rule, "num-byzantine": number} for number in numbers]


def _learned(cells: list[Keys], clean: Keys, published: str, *, fails: bool = False) -> Judge:
    """CIFAR-100 has a hundred classes, all else ten."""
    tenth, hundredth = (
        learns(SCORE, cells, clean, chance, published, fails=fails) for chance in (0.1, 0.01)
    )
    return each_of("task", tenth, {"cifar100": hundredth})


def inverted() -> tuple[Claim, ...]:
    """Return what the paper says of Fig. 1 (a) and (b), sign inversion."""
    clean = with_l(FD, 0)[0]
    return (
        Claim(
            "signSGD-MV deteriorates significantly as L increases", "Section 5.2",
            falls(SCORE, with_l(MV, 0, 3, 6, 7), "falls with L"),
        ),
        Claim(
            "signSGD-FD keeps almost the accuracy that it has without attack if L < M/2",
            "Section 5.2",
            alike(SCORE, clean, with_l(FD, 3, 6, 7), "almost the same"),
        ),
        Claim(
            "signSGD-FD fails to converge with L = 9", "Section 5.2",
            _learned(with_l(FD, 9), clean, "fails", fails=True),
        ),
        Claim(
            "The same of our default estimator: nothing lost if L < M/2", "ours",
            alike(SCORE, with_l(OURS, 0)[0], with_l(OURS, 3, 6, 7), "(not in the paper)"),
        ),
    )  # fmt: skip


def flipped() -> tuple[Claim, ...]:
    """Return what the paper says of Fig. 1 (c) and (d), signs flipped with probability 1/2."""
    attacked = (3, 6, 7, 9, 12)
    pairs = zip(with_l(FD, *attacked), with_l(MV, *attacked), strict=True)
    return (
        Claim(
            "signSGD-FD is more robust than signSGD-MV", "Section 5.3",
            higher(SCORE, list(pairs), "FD above MV"),
        ),
        Claim(
            "signSGD-FD degrades gradually as L increases", "Section 5.3",
            falls(SCORE, with_l(FD, *OF_SSFA), "falls with L"),
        ),
        Claim(
            "Both algorithms can learn with L = 12", "Section 5.3",
            _learned([*with_l(FD, 12), *with_l(MV, 12)], with_l(FD, 0)[0], "both learn"),
        ),
    )  # fmt: skip


def _figure(
    panel: str,
    data: str,
    attack: Keys,
    task: Keys,
    quick: Setting,
    remarks: Mapping[str, str],
) -> Experiment:
    """One panel: the paper's data, MNIST beside it, and the quick setting."""
    name, inversion = f"fd-fig1{panel}", attack is SIA
    numbers = OF_SIA if inversion else OF_SSFA
    how = "sign inversion" if inversion else "signs flipped with probability 1/2"
    grid = GRID + f"{', '.join(map(str, numbers))} are taken in full."
    which = "Which data set is in which panel is lost in our copy: (a), (c) CIFAR-10 is assumed."
    claims = inverted() if inversion else flipped()
    return Experiment(
        name, PAPER, f"Test accuracy by the number L of attacked workers, {how}, {data}",
        full=Setting(
            under_attack(name, task, ALL, attack, numbers), minutes=59_000
        ),
        quick=quick,
        claims=claims,
        pictures=(
            Lines("round", "test_accuracy", "num-byzantine", f"signSGD-MV, {how}", where=MV),
            Lines("round", "test_accuracy", "num-byzantine", f"signSGD-FD, {how}", where=FD),
            Lines("num-byzantine", SCORE, BY, f"{how} at the end"),
        ),
        choices=(ESTIMATOR, ROUNDS, grid, which, ZERO, SHARDS, NORMS, AUGMENTED),
        others=_others(name, attack, numbers) if data == "CIFAR-10" else {},
        remarks=remarks,
    )  # fmt: skip


def _others(name: str, attack: Keys, numbers: tuple[int, ...]) -> dict[str, Setting]:
    """The whole figure on MNIST; L = 7, where that leaves it out; other steps, other shards."""

    def setting(numbers: tuple[int, ...], rules: tuple[Keys, ...], minutes: float) -> Setting:
        alone = f", L = {numbers[0]} and the paper's two algorithms alone" if rules != ALL else ""
        sweep = under_attack(name, MNIST, rules, attack, numbers)
        return Setting(sweep, minutes, MNIST_NOTE + alone)

    largest = {} if 7 in numbers else {"mnist-7": setting((7,), (MV, FD), 20)}
    few = (0, 6, 7) if attack is SIA else (0, 6, 12)
    falling = under_attack(name, FALLING, (MV, FD), attack, few)
    note = f"{FALLING_NOTE}; the paper's two algorithms alone, fewer L"
    return {
        "mnist": setting(numbers, ALL, 110),
        **largest,
        "mnist-falling": Setting(falling, 35, note),
        "shared": Setting(under_attack(name, SHARED, ALL, attack, numbers), 5, SHARED_NOTE),
    }


def _on_digits(attack: Keys, numbers: tuple[int, ...], minutes: float) -> Setting:
    return Setting(under_attack("digits", DIGITS, ALL, attack, numbers), minutes, DIGITS_NOTE)


def _on_fashion(attack: Keys, numbers: tuple[int, ...], minutes: float) -> Setting:
    return Setting(under_attack("fashion", FASHION, ALL, attack, numbers), minutes, FASHION_NOTE)


FD_FIG1A = _figure("a", "CIFAR-10", SIA, CIFAR10, _on_digits(SIA, OF_SIA, 3), OF_A)
FD_FIG1B = _figure("b", "CIFAR-100", SIA, CIFAR100, _on_fashion(SIA, OF_SIA, 6), OF_B)
FD_FIG1C = _figure("c", "CIFAR-10", SSFA, CIFAR10, _on_digits(SSFA, OF_SSFA, 3), OF_C)
FD_FIG1D = _figure("d", "CIFAR-100", SSFA, CIFAR100, _on_fashion(SSFA, OF_SSFA, 6), OF_D)
