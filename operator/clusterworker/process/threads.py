"""Sets the number of threads from the container's CPU limit.

The libraries count the machine's CPUs when they load. In a container with a limit of 2 on a node of 64, they would
start 64 threads, which the kernel then throttles. Therefore this module must run before any of them is imported.
"""

import os
from collections.abc import MutableMapping

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""NUMBA_NUM_THREADS is not part of the key of numba's disk cache: changing it recompiles nothing (measured)."""


def limit(cpus: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets how many threads OpenMP, the BLAS libraries and numba start, unless the Pod sets it."""
    for variable in VARIABLES:
        environment.setdefault(variable, str(cpus))
    # A waiting thread yields its time slice instead of using up the quota.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
