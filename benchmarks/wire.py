"""What a row costs on the wire and to make: encode, decode, bytes.

python -m benchmarks.wire [--coordinates 582026] [--out FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.common import report, seconds
from signfed.clients import ENCODERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coordinates", type=int, nargs="+", default=[9_610, 582_026, 11_173_962])
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    table = []
    for n in given.coordinates:
        vector = np.random.default_rng(0).standard_normal(n, dtype=np.float32)
        copy = seconds(vector.copy, at_least=0.2)
        for name, factory in ENCODERS.items():
            encoder = factory()
            codec = encoder.codec

            def encode(encoder=encoder, vector=vector):
                return encoder.encode(vector, None, lambda: np.random.default_rng(0))[0]

            row = encode()
            up = seconds(encode, repeat=5, at_least=0.2)
            check = seconds(lambda c=codec, r=row, n=n: c.fault(r, n), repeat=5, at_least=0.2)
            down = seconds(lambda c=codec, r=row, n=n: c.decode(r, n), repeat=5, at_least=0.2)
            table.append({
                "encoder": name, "N": n, "bytes": row.nbytes, "bits per coordinate":
                8 * row.nbytes / n, "encode ms": 1e3 * up, "check ms": 1e3 * check,
                "decode ms": 1e3 * down, "encode/copy of the vector": up / copy,
            })  # fmt: skip
    report("one row on the wire; medians", table, given.out)


if __name__ == "__main__":
    main()
