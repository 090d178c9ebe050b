"""Public docstrings are in numpydoc form, read from the source.

The rule, for every public function and method of the package:

- It has a docstring that begins with one line of summary.
- With parameters it has a section "Parameters" that names each of them.
- When it returns or yields something, it has a section "Returns" or "Yields".
- A class documents what its constructor takes, under "Parameters" or "Attributes" of the class, or in
  the constructor's own docstring.

A name is public where neither it nor what it stands in, file and class included, begins with an
underscore. Exempt are:

- methods that override one of a base class or fulfil a protocol: their contract stands there;
- special methods that Python calls with fixed arguments (`__enter__`, `__getattr__`, ...);
- properties, which read as attributes: their summary says what they are;
- context managers made from generators, which yield None;
- the functions of `signfed` commands, whose docstring is the text of `--help`, and whose options say
  what they mean themselves; forms printed by papers (`on_domain`), whose section is made from the
  annotations; and factories of networks, whose one parameter is always the `Spec`.
"""

import ast
from pathlib import Path
