"""A user's module: what it gives, and where it fails."""

import pytest

from signfed.strategies.core.own import load

MODULES = {
    "own_good": "answer = 42\n",
    "own_syntax": "x = 1\ndef broken(:\n    pass\n",
    "own_name": "x = 1\n\ny = undefined_name\n",
    "own_missing": "import no_such_package\n",
    "own_exit": "import sys\nsys.exit('usage: ...')\n",
    "own_json": "import json\njson.loads('{')\n",
    "own_indirect": "import own_syntax\n",
}


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


def test_what_has_the_name_is_returned():
    assert load("own_good:answer", "function") == 42


@pytest.mark.parametrize(
    "path, said",
    [
        ("own_syntax:f", r"SyntaxError: .*own_syntax\.py, line 2\)"),
        ("own_indirect:f", r"SyntaxError: .*own_syntax\.py, line 2\)"),
        ("own_name:f", r"name 'undefined_name' is not defined \(.*own_name\.py, line 3\)"),
        ("own_json:f", r"JSONDecodeError: .*own_json\.py, line 2\)"),
        ("own_missing:f", r"No module named 'no_such_package' \(.*own_missing\.py, line 1\)"),
        ("own_exit:f", r"SystemExit: usage.*own_exit\.py, line 2\)"),
        ("no_such_module:f", "^No module named 'no_such_module'"),
        ("own_good:f", "has no attribute 'f'"),
        ("own_good:", "has no attribute ''"),
        (":f", "Empty module name"),
        (".relative:f", "relative import"),
    ],
)
def test_where_it_fails_is_said(path, said):
    with pytest.raises(ValueError, match=f"{said}.*; expected module:function, the module's file"):
        load(path, "function")
