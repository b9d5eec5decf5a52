"""numba's compiled code, kept on disk: a Job is a cold process and must not compile for half a minute.

The image's build runs ``clusterworker.process.warm`` once and keeps what numba wrote. In a Job, two obstacles exist,
and each has a solution here:

* umap and much of pynndescent do not ask numba for a cache: ``enable`` asks on their behalf.
* numba ignores a cache directory that it cannot write to, and the Pod's root file system is read-only:
  ``ImageCacheLocator`` reads what the image holds and writes what it lacks to the scratch directory. The image
  names it in ``NUMBA_CACHE_LOCATOR_CLASSES``.

numba recognises its files by the content of the library's source, the signature, and the processor's name and
features; the image sets ``NUMBA_CPU_NAME=generic``, so that they hold on every machine of its architecture.
"""

import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import UserProvidedCacheLocator
from numba.core.dispatcher import Dispatcher

JIT_LIBRARIES = frozenset({"evoc", "fast_hdbscan", "pynndescent", "umap"})


def enable() -> int:
    """Enables numba's disk cache for every compiled function of the JIT libraries that were imported so far.

    Call it after importing them and before their first use. Outside of the image, numba's own choice of directory
    applies.

    Returns:
        How many functions did not have a cache before.
    """
    enabled = 0
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in JIT_LIBRARIES:
            continue
        for member in list(vars(module).values()):
            if isinstance(member, Dispatcher) and member.stats.cache_path is None:
                member.enable_caching()
                enabled += 1
    return enabled


class ImageCacheLocator(UserProvidedCacheLocator):
    """Combines ``NUMBA_CACHE_DIR``, which may be read-only, with a directory of the same layout under TMPDIR."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)  # type: ignore[no-untyped-call]
        self._image_path = Path(self._cache_path)
        self._cache_path = str(Path(tempfile.gettempdir(), "numba-cache", self._image_path.name))

    def ensure_cache_path(self) -> None:
        """Creates the writable directory, and links the image's files into it.

        Raises:
            OSError: TMPDIR cannot be written to; numba then reports that no locator is available.
        """
        super().ensure_cache_path()  # type: ignore[no-untyped-call]
        _link_files(self._image_path, Path(self._cache_path))


@functools.cache
def _link_files(source: Path, target: Path) -> None:
    """Links every file of one directory into another, once per process.

    Files are replaced by renaming in numba, so a new file replaces a link and the image stays unchanged.
    """
    if not source.is_dir():
        return
    for file in source.iterdir():
        link = target / file.name
        if not link.exists():
            link.symlink_to(file)
