"""What every test shares: double precision, a figure backend without a screen, and the public data sets."""

import os
from pathlib import Path

# Read when JAX and matplotlib are first imported, which tests that need neither never do.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Compilation makes the first example slow and says nothing about the others.
settings.register_profile(
    "pkpd", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("pkpd")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data sets: `PKPD_SHARED_DATA`, else `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("PKPD_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"public data sets not found at {folder}: set PKPD_SHARED_DATA")
    return folder
