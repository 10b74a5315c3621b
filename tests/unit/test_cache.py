"""The compilation cache: used where it can be written, and never in the way."""

import os
import subprocess
import sys

PROGRAM = """
import jax, jax.numpy as jnp
from pkpd.cache import enable_compilation_cache
print(enable_compilation_cache())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: jnp.linalg.solve(x, x))(jnp.eye(7)).block_until_ready()
"""


def run_with_cache(folder, **more):
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environment | {"PKPD_CACHE_DIR": str(folder)} | more,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_what_was_compiled_is_kept_in_the_chosen_folder(tmp_path):
    reported = run_with_cache(tmp_path / "kept")

    assert reported == str(tmp_path / "kept" / "jax")
    assert any(path.is_file() for path in (tmp_path / "kept" / "jax").iterdir())


def test_a_folder_that_cannot_be_written_turns_the_cache_off(tmp_path):
    in_the_way = tmp_path / "a-file"
    in_the_way.write_text("not a folder")

    assert run_with_cache(in_the_way) == "None"


def test_a_cache_that_jax_has_already_is_left_alone(tmp_path):
    theirs = tmp_path / "theirs"

    assert run_with_cache(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(theirs)) == str(theirs)
    assert not (tmp_path / "ours").exists()
