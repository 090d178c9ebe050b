"""Attacks by name, and a user's own."""

import pytest

from signfed.attacks import ATTACKS, build, find

MINE = """
from signfed import attack

@attack(knowledge="own", stage="gradient")
def scaled(view, *, scale=2.0):
    return scale * view.own

@attack(knowledge="own", stage="gradient", parts=("inner",))
def made_of(view, *, inner="none"):
    return inner[0](view)

def undecorated(view):
    return view.own
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    (tmp_path / "attacks_in_a_module.py").write_text(MINE)
    (tmp_path / "attacks_with_a_typo.py").write_text("def broken(:\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_in_the_file_of_its_name(name):
    assert ATTACKS[name].name == name
    assert ATTACKS[name].function.__module__ == f"signfed.attacks.{name.replace('-', '_')}"


def test_ones_own_attack_has_options_and_parts_like_ours(modules):
    scaled = build("attacks_in_a_module:scaled", scale=3.0)
    assert scaled.name == "attacks_in_a_module:scaled" and scaled.options == {"scale": 3.0}
    made = build("attacks_in_a_module:made_of", inner="lie", z=1.5)
    assert made.knowledge == "omniscient" and made.options["inner"][0].options == {"z": 1.5}


@pytest.mark.parametrize(
    "name, text",
    [
        ("attacks_in_a_module:undecorated", "expected a function under @attack"),
        ("attacks_in_a_module:missing", "no attribute 'missing'; expected module:function"),
        ("no_such_module:f", "No module named 'no_such_module'; expected module:function"),
        (
            "attacks_with_a_typo:broken",
            "invalid syntax .*attacks_with_a_typo.py.*; expected module",
        ),
        ("lei", "unknown attack 'lei'; expected one of none, sign-inversion"),
    ],
)
def test_what_is_no_attack_is_refused(modules, name, text):
    with pytest.raises(ValueError, match=text):
        find(name)


@pytest.mark.parametrize(
    "name, options, text",
    [
        (
            "sign-inversion",
            {"std": 1.0},
            "attack 'sign-inversion' has no option std; expected none",
        ),
        ("lie", {"zmax": True}, "attack 'lie' has no option zmax; expected z, z_max, direction"),
        ("byzmean", {"std": 1.0}, "attack 'byzmean' has no option std; expected inner"),
    ],
)
def test_an_option_that_nobody_has_is_refused_with_those_there_are(name, options, text):
    with pytest.raises(TypeError, match=text):
        build(name, **options)
