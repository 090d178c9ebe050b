"""Published files: whether they are there and whole, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from signfed.app.task.datasets.dataset import DataMissing
from signfed.strategies.core.own import reason


def fault(file: Path, md5: str) -> str | None:
    """Say why a published file cannot be used; None where it is whole.

    Parameters
    ----------
    file : Path
        Which one.
    md5 : str
        Its published checksum.
    """
    if file.is_dir():
        return f"{file.name} (a folder)"
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    except FileNotFoundError:
        return file.name
    except OSError as error:
        return f"{file.name} ({error.strerror})"
    return None if found.hexdigest() == md5 else file.name


def whole(
    name: str, folder: Path, md5s: Mapping[str, str], sources: Sequence[str], download: bool
) -> None:
    """Make sure that all files are in the folder; what is missing is downloaded if that is allowed.

    Parameters
    ----------
    name : str
        Of the data set.
    folder : Path
    md5s : mapping of str to str
        File -> its published checksum.
    sources : sequence of str
        Addresses of the folder, tried in turn.
    download : bool

    Raises
    ------
    DataMissing
        With what was expected where, and where it comes from.
    """
    for file, md5 in md5s.items():
        if download and fault(folder / file, md5):
            _fetch(name, folder, file, md5, sources)
    if faults := [text for file, md5 in md5s.items() if (text := fault(folder / file, md5))]:
        raise missing(name, folder, faults, sources[0])


def _fetch(name: str, folder: Path, file: str, md5: str, sources: Sequence[str]) -> None:
    from torchvision.datasets.utils import download_url

    reasons = []
    for source in sources:
        try:
            (folder / file).unlink(missing_ok=True)
            return download_url(source + file, folder, file, md5)
        except (OSError, RuntimeError, ValueError) as error:
            reasons.append(reason(error))
    raise DataMissing(f"data-dir: cannot get {name} into {folder.absolute()}: {'; '.join(reasons)}")


def missing(
    name: str, folder: Path, faults: Sequence[str], source: str, otherwise: str = ""
) -> DataMissing:
    """Make the error of files that are not there or not whole.

    Parameters
    ----------
    name : str
        Of the data set.
    folder : Path
        Where the files were expected.
    faults : sequence of str
        What `fault` says of them.
    source : str
        Where they come from.
    otherwise : str
        Another place where they might have been.
    """
    return DataMissing(
        f"data-dir: expected {name} in {folder.absolute()}{otherwise}; missing or damaged there: "
        f"{', '.join(faults)}; point data-dir elsewhere or set download=true (from {source})"
    )
