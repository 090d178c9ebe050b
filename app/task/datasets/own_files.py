"""A device's own data: images in class folders, a table, or arrays, as a schema says."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from signfed.app.errors import ConfigError, installed
from signfed.app.task.datasets.dataset import DataMissing
from signfed.app.task.datasets.schema import MODES, Schema

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def read(folder: Path, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a folder, in the order of their file names or lines.

    Parameters
    ----------
    folder : Path
        One worker's data.
    schema : Schema
        What must lie there.

    Returns
    -------
    x : ndarray, uint8 or float32 [n, *shape]
        Images as bytes, else numbers.
    y : ndarray, int64 [n]

    Raises
    ------
    DataMissing
        When there is nothing of that kind.
    ConfigError
        At the first sample that does not fit, with what was expected.
    """
    if not folder.is_dir():
        raise DataMissing(f"data-dir: expected {EXPECTED[schema.kind]} in {folder}: no such folder")
    x, y = READERS[schema.kind](folder, schema)
    if not np.isfinite(x).all():
        bad = int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
        raise ConfigError(f"{folder}: expected finite numbers; sample {bad} has others")
    return x, y


def _images(folder: Path, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    with installed("own-data.kind='images'"):
        from PIL import Image

    channels, height, width = schema.sides
    files = sorted(
        file for file in folder.glob("*/*") if file.suffix.lower() in IMAGES
    )  # by class folder, then by name: the same order on any machine
    _some(files, folder, schema)
    x = np.empty((len(files), channels, height, width), np.uint8)
    labels = [schema.index(file.parent.name, str(file.parent)) for file in files]
    for row, file in zip(x, files, strict=True):
        with _expecting("an image", file), Image.open(file) as image:
            if image.size != (width, height):
                raise ConfigError(
                    f"{file}: expected {width} x {height} pixels (own-data.shape); found "
                    f"{image.size[0]} x {image.size[1]}; resize it"
                )
            row[...] = np.asarray(image.convert(MODES[channels])).reshape(
                height, width, channels
            ).transpose(2, 0, 1)  # fmt: skip
    return x, np.array(labels, np.int64)


def _table(folder: Path, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(file for file in folder.iterdir() if file.suffix in (".csv", ".parquet"))
    _some(files, folder, schema)
    file = _one(files, folder)
    columns = (_csv if file.suffix == ".csv" else _parquet)(file)
    if schema.label not in columns:
        raise ConfigError(
            f"{file}: expected a column {schema.label!r} (own-data.label); found "
            f"{', '.join(columns)}"
        )
    labels = [
        schema.index(str(v).strip(), f"{file}, {schema.label!r}") for v in columns.pop(schema.label)
    ]
    if len(columns) != schema.sides[0]:
        raise ConfigError(
            f"{file}: expected {schema.sides[0]} columns besides {schema.label!r} "
            f"(own-data.shape); found {len(columns)}: {', '.join(columns)}"
        )
    x = np.empty((len(labels), len(columns)), np.float32)
    for place, name in enumerate(sorted(columns)):
        try:
            x[:, place] = np.asarray(columns[name], np.float32)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{file}, column {name!r}: expected numbers; {error}") from error
    return x, np.array(labels, np.int64)


def _csv(file: Path) -> dict[str, list[str]]:
    with (
        _expecting("a CSV file in UTF-8", file),
        file.open(newline="", encoding="utf-8-sig") as lines,
    ):
        rows = list(csv.reader(lines))
    if len(rows) < 2:
        raise ConfigError(f"{file}: expected a header and at least one line; found {len(rows)}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ConfigError(
                f"{file}, line {number}: expected {len(rows[0])} values; found {len(row)}"
            )
    return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))


def _parquet(file: Path) -> dict[str, list[object]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:  # alone: a device needs nothing else of signfed[report]
        raise ConfigError(
            f"{file}: Parquet needs pyarrow; expected: pip install pyarrow"
        ) from error
    with _expecting("a Parquet file", file):
        found: dict[str, list[object]] = parquet.read_table(file).to_pydict()
    return found


def _arrays(folder: Path, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(folder.glob("*.npz"))
    _some(files, folder, schema)
    file = _one(files, folder)
    with _expecting("arrays x and y", file), np.load(file, allow_pickle=False) as held:
        x, y = np.asarray(held["x"]), np.asarray(held["y"])  # bytes where it is no array
    if x.shape[1:] not in (schema.sides, (math.prod(schema.sides),)) or y.shape != x.shape[:1]:
        raise ConfigError(
            f"{file}: expected x [n, {', '.join(map(str, schema.sides))}] and y [n]; found "
            f"{list(x.shape)} and {list(y.shape)}"
        )
    if y.dtype.kind not in "iu" or not len(y) or y.min() < 0 or y.max() >= len(schema.names):
        raise ConfigError(
            f"{file}: expected labels 0 to {len(schema.names) - 1} (own-data.classes), whole "
            f"numbers; found {y.dtype} {f'{y.min()} to {y.max()}' if len(y) else 'none'}"
        )
    if x.dtype.kind not in "fiub":
        raise ConfigError(f"{file}: expected numbers in x; found {x.dtype}")
    return x.reshape(len(x), *schema.sides).astype(np.float32), y.astype(np.int64)


@contextmanager
def _expecting(what: str, file: Path) -> Iterator[None]:
    """Name a file that cannot be read: its library raises whatever a damaged one leads it to."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ConfigError(f"{file}: expected {what}; {reason}") from error


def _some(files: list[Path], folder: Path, schema: Schema) -> None:
    if not files:
        raise DataMissing(f"data-dir: expected {EXPECTED[schema.kind]} in {folder}: there is none")


def _one(files: list[Path], folder: Path) -> Path:
    if len(files) > 1:
        raise ConfigError(
            f"{folder}: expected one file; found {', '.join(file.name for file in files)}"
        )
    return files[0]


READERS: dict[str, Callable[[Path, Schema], tuple[np.ndarray, np.ndarray]]] = {
    "images": _images, "table": _table, "arrays": _arrays,
}  # fmt: skip
EXPECTED = {
    "images": "a folder of images for each class",
    "table": "a .csv or .parquet file",
    "arrays": "an .npz file with x and y",
}
