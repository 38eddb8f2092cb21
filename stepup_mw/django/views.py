"""``@stepup_required`` for Django: a view that runs only with a fresh proof."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction

from ..decorating import Decorator

stepup_required = Decorator(lambda args: args[0], iscoroutinefunction)
"""For a view; for a method of a class by ``method_decorator``. Django marks what ``as_view`` gives of an async class as
a coroutine function, which it is not."""
