"""One profile for every property test: the same examples in every run, no clock on the machine's mood."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ci", max_examples=80, deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci")
