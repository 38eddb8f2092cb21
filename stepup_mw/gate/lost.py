"""What a process knows of a store that lost what it knew, from one turn of its housekeeping to the next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lost:
    """``standing``: when the loss was found that nobody has accepted yet. ``told``: that of the one that is on record
    by this process. ``ended``: that of the one whose challenges have their outcome. Unix seconds, 0.0 for none."""

    standing: float = 0.0
    told: float = 0.0
    ended: float = 0.0
