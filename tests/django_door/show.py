"""Prints the configuration of the site."""

from __future__ import annotations

import json

from .project import CONFIG

print(json.dumps(CONFIG))  # noqa: T201 - what the tests read
