"""One thread for each process of the tests, set before NumPy or torch is imported.

With as many as there are cores, threads wait for one another wherever something else runs. Tests
that start other processes leave them their threads.
"""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

for _name in THREADS:
    os.environ.setdefault(_name, "1")
