"""AG-News from small csv files in their real format; the real test file where it is."""

import io
import json
from collections import Counter
from hashlib import md5
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signfed.app.task import TASKS, DataMissing
from signfed.app.task.datasets import ag_news, text

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "ag_news"
ROWS = {
    "train.csv": [
        ("3", "Wall St. Bears Claw Back", "Short-sellers are seeing green ""again""."),
        ("1", "Truce holds", 'Officials said \\"yes\\", he said'),
        ("4", "Chip, chip, chip", ""),
        ("2", "Cup final: 3-1!", "The cup is won; the cup."),
    ],
    "test.csv": [("2", "Unknown words win the cup", "again"), ("1", "", "")],
}  # fmt: skip


def as_csv(rows):
    def quoted(field):
        return '"' + field.replace('"', '""') + '"'

    return "".join(",".join(map(quoted, row)) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path, monkeypatch, urls_asked):
    """The folder with both files: the loader is told their checksums, and no network."""
    found = tmp_path / "ag_news"
    found.mkdir()
    for file, rows in ROWS.items():
        (found / file).write_text(as_csv(rows), encoding="utf-8")
    sums = {file: md5((found / file).read_bytes()).hexdigest() for file in ROWS}
    monkeypatch.setattr(ag_news, "FILES", sums)
    return found


def load(folder, download=False):
    return TASKS["ag-news"].load(folder.parent, download)


def vocabulary_file(folder):
    (file,) = folder.glob("vocabulary-*")
    return file


def words(row, tokens):
    return [{0: "", 1: "?"}.get(i) or tokens[i - 2] for i in row.tolist() if i]


def test_titles_and_descriptions_become_tokens_and_classes_start_at_0(folder):
    data = load(folder)
    tokens = json.loads(vocabulary_file(folder).read_text())["tokens"]
    assert data.train_y.tolist() == [2, 0, 3, 1] and data.test_y.tolist() == [1, 0]
    assert data.train_y.dtype == torch.int64
    assert " ".join(words(data.train_x[3], tokens)) == "cup final 3 1 ! the cup is won the cup ."
    assert " ".join(words(data.train_x[1], tokens)) == "truce holds officials said yes , he said"
    assert " ".join(words(data.test_x[0], tokens)) == "? ? ? the cup again"
    assert not data.test_x[1].any()  # an empty text is padding alone
    assert data.vocabulary == 2 + len(tokens) and data.train_x.max() < data.vocabulary
    assert data.train_x.shape == (4, text.MAX_TOKENS)
    assert data.to_input(data.train_x).dtype == torch.int64


def test_the_vocabulary_is_the_most_frequent_tokens_of_the_training_texts(folder):
    load(folder)
    tokens = json.loads(vocabulary_file(folder).read_text())["tokens"]
    counts = Counter(t for row in ROWS["train.csv"] for t in text.tokenised(" ".join(row[1:])))
    assert sorted(tokens) == sorted(counts) and "win" not in tokens
    assert [counts[t] for t in tokens] == sorted(counts.values(), reverse=True)
    assert tokens[0] == "," and tokens[1:4] == [".", "chip", "cup"]  # 3 each: by name


def test_a_vocabulary_that_is_there_is_used_and_one_that_does_not_fit_is_built_anew(folder):
    first = load(folder)
    file = vocabulary_file(folder)
    good = json.loads(file.read_text())
    swapped = good | {"tokens": good["tokens"][::-1]}
    file.write_text(json.dumps(swapped))
    assert not torch.equal(load(folder).train_x, first.train_x)  # it is read
    for bad in (
        json.dumps(good | {"built_from": good["built_from"] | {"tokeniser": 0}}),
        json.dumps(good | {"tokens": good["tokens"][1:]}),
        file.read_text()[:40], "[]", "",
    ):  # fmt: skip
        file.write_text(bad)
        assert torch.equal(load(folder).train_x, first.train_x)
        assert json.loads(file.read_text()) == good
    assert [f.name for f in folder.iterdir() if f.name.startswith("voc")] == [file.name]


def test_a_file_name_says_what_the_vocabulary_was_built_from(folder, monkeypatch):
    load(folder)
    with (folder / "train.csv").open("a") as more:
        more.write('"1","more","words"\n')
    changed = ag_news.FILES | {"train.csv": md5((folder / "train.csv").read_bytes()).hexdigest()}
    monkeypatch.setattr(ag_news, "FILES", changed)
    assert len(load(folder).train_y) == 5 and len(list(folder.glob("vocabulary-*"))) == 2


def test_a_folder_that_cannot_be_written_to_will_do(folder, monkeypatch):
    def read_only(*arguments, **options):
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "write_text", read_only)
    assert load(folder).vocabulary > 10


@pytest.mark.parametrize("name", list(ROWS))
@pytest.mark.parametrize("damage", ["missing", "cut short", "other text"])
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_downloaded(folder, name, damage):
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes(content[:-9] if damage == "cut short" else content + b"\n")
    text = rf"expected AG-News in {folder}; missing or damaged there: {name}; .*from https://"
    with pytest.raises(DataMissing, match=text):
        load(folder)


def test_a_folder_in_place_of_a_file_is_named_and_nobody_is_asked(folder, urls_asked):
    (folder / "test.csv").unlink()
    (folder / "test.csv").mkdir()
    with pytest.raises(DataMissing, match=r"damaged there: test.csv \(a folder\); point"):
        load(folder)
    assert not urls_asked


def test_rows_that_are_no_texts_are_data_missing_with_a_reason(folder, monkeypatch):
    (folder / "test.csv").write_text('"sports","no number"\n')
    sums = ag_news.FILES | {"test.csv": md5((folder / "test.csv").read_bytes()).hexdigest()}
    monkeypatch.setattr(ag_news, "FILES", sums)
    with pytest.raises(DataMissing, match=r"cannot read AG-News .*it: ValueError: invalid"):
        load(folder)


def test_a_download_happens_when_asked_for_and_its_failure_is_data_missing(folder, urls_asked):
    (folder / "test.csv").unlink()
    with pytest.raises(DataMissing, match="no route to host"):
        load(folder, download=True)
    assert urls_asked == [ag_news.SOURCE + "test.csv"]


class Response(io.BytesIO):
    """What urlopen gives, as far as it is read."""

    url = None

    @property
    def length(self):
        return len(self.getvalue())


def test_a_download_is_kept_where_it_is_expected(folder, monkeypatch):
    content = (folder / "test.csv").read_bytes()
    (folder / "test.csv").write_bytes(content[:-3])
    monkeypatch.setattr("urllib.request.urlopen", lambda *given, **more: Response(content))
    assert len(load(folder, download=True).test_y) == 2
    assert (folder / "test.csv").read_bytes() == content


def test_long_texts_are_cut_and_rare_words_unknown(monkeypatch):
    assert text.encoded([["a"] * 100, ["b"]], ["a"])[:, :2].tolist() == [[2, 2], [1, 0]]
    assert text.encoded([["a"] * 100], ["a"]).shape == (1, 64)
    assert text.most_frequent([["b", "a", "b", "c", "c", "a"], ["d"]], size=4) == ["a", "b"]


@settings(max_examples=200)
@given(st.text())
def test_any_text_has_tokens_without_space_that_are_their_own_tokens(some):
    for token in text.tokenised(some):
        assert token and not any(c.isspace() for c in token)
        assert text.tokenised(token) == [token]


@pytest.mark.skipif(not (SHARED / "test.csv").exists(), reason="needs the shared data")
def test_the_real_test_file_is_the_published_one():
    assert md5((SHARED / "test.csv").read_bytes()).hexdigest() == ag_news.FILES["test.csv"]
    texts, labels = ag_news._texts(SHARED / "test.csv")
    assert len(texts) == 7600 and labels.bincount().tolist() == [1900] * 4
    assert texts[0][:7] == ["fears", "for", "t", "n", "pension", "after", "talks"]
