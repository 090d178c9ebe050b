"""Runs side by side: none takes another's folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from signfed.app.errors import ConfigError
from signfed.app.runs import claim
from signfed.app.runs.claim import Writer, create_first, existing_folder, new_folder
from signfed.app.runs.folder import RunFolder, read_rounds, reopen
from tests.app.runs.test_folder import FIRST

ROOT = Path(__file__).parents[3]
needs_flock = pytest.mark.skipif(os.name != "posix", reason="needs flock")


def test_a_new_folder_is_another_each_time_and_its_name_fit_for_a_path(tmp_path):
    """Two hundred at once, within a second or two: names of one second meet."""
    with ThreadPoolExecutor(20) as pool:
        found = list(
            pool.map(lambda _: new_folder(tmp_path, "digits", "my:Rule", "none"), range(200))
        )
    assert len(set(found)) == 200 and all(path.is_dir() for path in found)
    assert all(path.parent == tmp_path / "signfed-runs" for path in found)
    assert all("digits-my-Rule-none" in path.name and ":" not in path.name for path in found)


def in_the_way(folder):
    (folder / "signfed-runs").write_text("")


@pytest.mark.parametrize("make", [new_folder, lambda p: existing_folder(p / "signfed-runs" / "a")])
def test_a_file_in_the_way_is_named(tmp_path, make):
    in_the_way(tmp_path)
    with pytest.raises(ConfigError, match=r"signfed-runs/.*: (a file is in the way|Not a dir)"):
        make(tmp_path)


@pytest.mark.parametrize("make", [new_folder, lambda p: existing_folder(p / "a")])
def test_a_disk_that_takes_no_folder_is_a_clear_error(monkeypatch, tmp_path, make):
    def full(self, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ConfigError, match="No space left on device; choose another with --out"):
        make(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(claim.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ConfigError, match="Permission denied; choose another with --out"):
        existing_folder(tmp_path)


@pytest.mark.parametrize("mode", [os.W_OK, os.X_OK])
def test_files_have_to_be_made_in_a_folder_and_to_be_found_there(monkeypatch, tmp_path, mode):
    monkeypatch.setattr(claim.os, "access", lambda path, asked: not asked & mode)
    with pytest.raises(ConfigError, match="Permission denied"):
        existing_folder(tmp_path)


def test_the_first_file_is_created_once(tmp_path):
    create_first(tmp_path / "config.json", "{}")
    with pytest.raises(ConfigError, match="another run has just taken"):
        create_first(tmp_path / "config.json", "[]")
    assert (tmp_path / "config.json").read_text() == "{}"


def test_a_second_writer_waits_and_is_refused(monkeypatch, tmp_path):
    folder = RunFolder(tmp_path, {}, 1)
    folder.write_round(FIRST)
    monkeypatch.setattr(Writer.__init__, "__defaults__", (0.1,))
    with pytest.raises(ConfigError, match="has a run under way"):
        reopen(tmp_path, 0)  # would drop the rounds of the run that is under way
    with pytest.raises(ConfigError, match="has a run under way"):
        RunFolder(tmp_path, {}, 1, done=0)
    assert read_rounds(tmp_path) == [FIRST]
    folder.close("finished")
    with pytest.raises(ConfigError, match="another run has just taken"):
        RunFolder(tmp_path, {}, 1)  # a new run where one has ended
    RunFolder(tmp_path, {}, 1, done=1).close("finished")


@needs_flock
def test_a_writer_that_is_about_to_end_is_waited_for(monkeypatch, tmp_path):
    """As that of a run whose command was killed: its server saves the state first."""
    first, waited = Writer(tmp_path), []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            first.release()

    monkeypatch.setattr(claim.time, "sleep", sleep)
    Writer(tmp_path).release()
    assert len(waited) == 3


@needs_flock
def test_where_the_file_system_has_no_locks_a_run_has_its_folder(monkeypatch, tmp_path):
    def none(folder, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    Writer(tmp_path, patience=0.0).release()


def test_what_is_released_twice_closes_no_other_file(tmp_path):
    writer = Writer(tmp_path)
    writer.release()
    with (tmp_path / "other").open("w") as other:  # it gets the number that is free again
        writer.release()
        other.write("whole")
    assert (tmp_path / "other").read_text() == "whole"


@needs_flock
def test_a_writer_that_is_killed_leaves_its_place(tmp_path):
    code = "import sys; from signfed.app.runs.claim import Writer; w = Writer(sys.argv[1]); "
    code += "print(1, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"1\n"
    with pytest.raises(ConfigError):
        Writer(tmp_path, patience=0.1)
    process.kill()
    process.wait()
    Writer(tmp_path, patience=0.1).release()
