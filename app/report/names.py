"""Names of folders: as short as tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path


def names_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Return of each folder the shortest end of its path that no other has.

    >>> names = names_of([Path("/a/exp/run"), Path("/b/exp/run"), Path("/b/other")])
    >>> list(names.values())
    ['a/exp/run', 'b/exp/run', 'other']

    Parameters
    ----------
    paths : iterable of Path
        Folders; one that is given twice has one name.

    Returns
    -------
    dict
        Path as it was given -> name, its parts with "/" between.
    """
    parts = {path: path.resolve().parts for path in paths}
    names: dict[Path, str] = {}
    ends, length = dict(parts), 0
    while ends:
        length += 1
        count = Counter(whole[-length:] for whole in set(parts.values()))
        for path, whole in list(ends.items()):
            if count[whole[-length:]] == 1 or length >= len(whole):
                names[path] = "/".join(whole[-length:])
                del ends[path]
    return {path: names[path] for path in parts}
