"""What must lie in a folder of a device's own data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from signfed.app.errors import ConfigError

MODES = {1: "L", 3: "RGB"}  # Pillow's, by number of channels


class Schema:
    """What must lie in a folder; the server says it, and every node checks its own folder by it.

    Parameters
    ----------
    kind : {"images", "table", "arrays"}
        A folder of images for each class; one CSV or Parquet file with a header, a sample a line;
        or one .npz with x [n, *shape] and y [n].
    shape : str
        Of a sample: "1x28x28" is channels, height, width of an image, "12" the number of features.
    classes : str
        Their names in the order of the labels, "cat,dog", or how many there are, numbered from 0.
    label : str
        Column of a table that holds the class. All others are features, in alphabetical order.

    Raises
    ------
    ConfigError
        For a shape or classes that make no sense.

    Examples
    --------
    >>> schema = Schema(shape="3x32x32", classes="cat,dog")
    >>> schema.sides, schema.names
    ((3, 32, 32), ('cat', 'dog'))
    """

    def __init__(
        self,
        kind: Annotated[
            Literal["images", "table", "arrays"],
            Field(description="class folders of images; CSV or Parquet; npz with x and y"),
        ] = "images",
        shape: Annotated[str, Field(description="of a sample, such as 3x32x32, or 12")] = "1x28x28",
        classes: Annotated[
            str, Field(description="names such as 'cat,dog', or their number")
        ] = "10",
        label: Annotated[str, Field(description="column of a table with the class")] = "label",
    ) -> None:
        self.kind, self.label = kind, label
        parts = shape.lower().split("x")
        if not all(part.isdecimal() and int(part) for part in parts):
            raise ConfigError(f"own-data.shape: expected a shape such as 1x28x28; got {shape!r}")
        self.sides = tuple(map(int, parts))
        if kind == "images" and (len(self.sides) != 3 or self.sides[0] not in MODES):
            raise ConfigError(
                "own-data.shape: expected channels (1 or 3), height and width of the images, such "
                f"as 1x28x28; got {shape!r}"
            )
        if kind == "table" and len(self.sides) != 1:
            raise ConfigError(f"own-data.shape: expected a table's features; got {shape!r}")
        names = [name.strip() for name in classes.split(",")]
        if len(names) == 1 and names[0].isdecimal():
            names = [str(i) for i in range(int(names[0]))]
        if len(names) < 2 or len(set(names)) < len(names) or not all(names):
            raise ConfigError(
                f"own-data.classes: expected at least two names, or their number; got {classes!r}"
            )
        self.names = tuple(names)

    def index(self, name: str, where: str) -> int:
        """Return the label of a class.

        Parameters
        ----------
        name : str
            As it was found.
        where : str
            Where that was.

        Raises
        ------
        ConfigError
            When the schema has no such class.
        """
        if name not in self.names:
            raise ConfigError(
                f"{where}: expected a class of the schema ({', '.join(self.names)}); got {name!r}"
            )
        return self.names.index(name)
