"""Where compiled models are kept between runs, so that the second run does not compile again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs


def enable_compilation_cache() -> Path | None:
    """Tell JAX to keep what it compiles in the user's cache folder; call it before the first compilation.

    The folder is `PKPD_CACHE_DIR` where that is set, else the platform's cache folder for `pkpd`. A folder that JAX was
    given already, by `JAX_COMPILATION_CACHE_DIR` or by the program that uses this package, is left alone. A folder
    that cannot be written turns the cache off: everything works, and compiles each time.

    Returns
    -------
    The folder in use, or None without a cache.
    """
    import jax

    configured = jax.config.jax_compilation_cache_dir
    if configured is not None:
        return Path(configured)
    folder = _root() / "jax"
    if not _is_writable(folder):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def _root() -> Path:
    chosen = os.environ.get("PKPD_CACHE_DIR")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("pkpd", appauthor=False))


def _is_writable(folder: Path) -> bool:
    """Try it: permission bits do not know of full disks, read-only mounts or a file in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
