"""`python -m fuzz READER [SECONDS [SEED]]`: atheris against one reader; without arguments, against all, 3 seconds each.

Without arguments the seed is always the same: what CI says must not change from run to run. To look for more, name a reader.
pip install atheris; there is none for every Python.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("transform", "pairs", "manifest", "options")


def fuzz(name: str, seconds: str = "3", seed: str = "0") -> None:
    """Until the time is over; atheris ends the process. Seed 0 is another one each time."""
    import atheris

    # Kernels must stay as they are: Numba compiles their bytecode.
    with atheris.instrument_imports(include=["warpkit", "warpkit_cli"], exclude=["warpkit.kernels"]):
        from .readers import READERS, SEEDS

    folder = tempfile.mkdtemp()
    Path(folder, "seed").write_text(SEEDS[name])
    atheris.Setup(
        [sys.argv[0], folder, f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-verbosity=0"], READERS[name]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fuzz(*sys.argv[1:])
    else:
        for reader in NAMES:
            print("fuzzing", reader, flush=True)
            subprocess.run([sys.executable, "-m", "fuzz", reader, "3", "1"], check=True)
