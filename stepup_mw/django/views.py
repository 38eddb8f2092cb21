"""``@stepup_required`` for Django: a view that runs only with a fresh proof."""

from __future__ import annotations

from ..decorating import Decorator

stepup_required = Decorator(lambda args: args[0])
"""For a view; for a method of a class by ``method_decorator``."""
