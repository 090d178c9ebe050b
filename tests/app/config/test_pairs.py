"""`-c`: what one types, read or refused."""

import pytest

from signfed.app.config.pairs import given_keys
from signfed.app.errors import ConfigError


@pytest.mark.parametrize(
    "given, found",
    [
        ([], {}),
        (["lr=0.1 num-rounds=3"], {"lr": 0.1, "num-rounds": 3}),
        (["lr=0.1", "num-rounds=3"], {"lr": 0.1, "num-rounds": 3}),
        (["lie.z=1 lie.z-max=true"], {"lie.z": 1, "lie.z-max": True}),
        (["lie.z=1", "lie.z-max=true"], {"lie.z": 1, "lie.z-max": True}),
        (["task='digits' out-dir=\"a b\""], {"task": "digits", "out-dir": "a b"}),
        (["out-dir='say \"x\"'"], {"out-dir": 'say "x"'}),
        ([r'out-dir="say \"x\" it' + "'s" + '"'], {"out-dir": 'say "x" it\'s'}),
        (["out-dir='ü 🙂'"], {"out-dir": "ü 🙂"}),
        (["strategy-options='radius=3.0 mode=\"soft\"'"],
         {"strategy-options": 'radius=3.0 mode="soft"'}),
        (["a=[1, 2]"], {"a": [1, 2]}),
        (["task=digits", "lr=0.1"], {"task": "digits", "lr": 0.1}),
        (["strategy=mine_of:My data-dir=../a-b/c pre-aggregation=nnm,clipping resume=true"],
         {"strategy": "mine_of:My", "data-dir": "../a-b/c", "pre-aggregation": "nnm,clipping",
          "resume": True}),
    ],
)  # fmt: skip
def test_pairs_as_one_types_them(given, found):
    assert given_keys(given) == found


@pytest.mark.parametrize(
    "given, said",
    [
        (["lr=0.1 lr=0.2"], "expected lr once; got it twice, the second as 0.2"),
        (["lr=0.1", "lr=0.1"], "expected lr once; got it twice"),
        (["lie.z=1", "num-rounds=2 lie.z=2"], "expected lie.z once; got it twice"),
        (["num-rounds 5"], "quotation marks around text that is .*; got num-rounds 5"),
        (["out-dir=a b"], "got b"),
        (["lr=0,1"], "got lr=0,1"),
        (["lr=1e"], "got lr=1e"),
        (["task=digits, lr=1"], "got task=digits,"),
        (["task='digits'x"], "got x"),
        (["out-dir=it's"], "got out-dir=it's"),
        (["task='digits"], "got task='digits"),
        (["lr=0.1, num-rounds=3"], "got lr=0.1,"),
        (["=3"], "got =3"),
        (["nowhere.toml"], "nowhere.toml"),
        (["a.toml", "lr=0.1"], "one TOML file alone, or key=value pairs; got both"),
    ],
)
def test_what_is_no_pair_is_refused(given, said):
    with pytest.raises(ConfigError, match=f"^-c.*{said}"):
        given_keys(given)


def test_a_file_has_tables(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("lr = 0.1\n[lie]\nz = 1.0\nz-max = true\n[sign-fd]\ninitial-rounds = 3\n")
    found = {"lr": 0.1, "lie.z": 1.0, "lie.z-max": True, "sign-fd.initial-rounds": 3}
    assert given_keys([str(file)]) == found
    file.write_text("lr = 0.1\nlr = 0.2\n")
    with pytest.raises(ConfigError, match=r"run\.toml: .*(line 2|overwrite)"):
        given_keys([str(file)])
