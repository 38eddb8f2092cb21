"""Packages of the npm registry, by name and version, in a folder of the machine's cache: installed once, never here."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path


def npm_folder(*packages: str) -> Path:
    """The ``node_modules`` that holds the packages (``"axe-core@4.11.0"``), installed now if they are not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepup-mw-tests"
    folder = cache / "+".join(sorted(packages)).replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *packages],
                check=True,
                capture_output=True,
                timeout=300,
            )
            (folder / "done").touch()
    return folder / "node_modules"
