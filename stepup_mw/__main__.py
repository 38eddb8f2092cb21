"""``python -m stepup_mw``: the same program as ``stepup``."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
