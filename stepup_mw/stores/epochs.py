"""Where the number of an epoch comes from: at random, so that no epoch is ever met twice, whatever was lost before."""

from __future__ import annotations

import secrets

LARGEST = 2**53 - 1
"""What a double and JSON hold without loss."""


def draw_epoch() -> int:
    """A fresh number, 1 to LARGEST. Never 0: a grant made without an epoch is of none."""
    return secrets.randbelow(LARGEST) + 1
