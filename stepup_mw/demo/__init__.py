"""``stepup demo``: a small bank of its own, wrapped like any other app, to click through and to watch.

The bank (``site``, ``bank``, ``views``, ``signin``) knows nothing of step-up; ``wrap`` is all that is done to it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["run"]


def run(*, port: int | None, folder: Path | None, echo: Callable[[str], None], as_json: bool = False) -> int:
    """Run the demo until Ctrl-C; 0 when it ended well.

    port: None for the usual or any free one. folder: kept and used again; None for a new one among the temporary
    files. echo: shows lines of text, colours included; as_json: one object a line, where it listens and how to get in,
    then the audit lines, at last the verdict. MissingExtra without uvicorn, ConfigError for a port or a folder that
    cannot be used.
    """
    from .show import show  # noqa: PLC0415 - loads the app, the server and the terminal's parts

    return show(port=port, folder=folder, echo=echo, as_json=as_json)
