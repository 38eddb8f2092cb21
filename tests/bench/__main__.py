"""``python -m tests.bench [--rounds N] [part …]``: some ten minutes for all parts, and some more for
``trail``; half an hour for ``bounds`` and an hour for ``challenges``, which are measured only where they are asked
for."""

from __future__ import annotations

import argparse
import logging
import platform
import sys

from . import appending, bounds, loggers, lookup, origin, pages, passing, sensitive, served, trail, verifying

PARTS = {
    "passing": passing.measure,
    "sensitive": sensitive.measure,
    "origin": origin.measure,
    "pages": pages.measure,
    "lookup": lookup.measure,
    "served": served.measure,
    "verifying": verifying.measure,
    "appending": appending.measure,
    "trail": trail.measure,
    "loggers": loggers.measure,
    "bounds": bounds.measure,
    "challenges": bounds.measure_challenges,
}
LONG = {"bounds", "challenges"}
"""Only where it is asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}; all but the long ones if none"
    )
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds a case (default 9)")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    logging.disable(logging.WARNING)
    print(
        f"Python {platform.python_version()}, {platform.system()}. Ratios within one run; absolute figures say little."
    )
    for name in arguments.parts or [each for each in PARTS if each not in LONG]:
        print(f"\n{PARTS[name](arguments.rounds)}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
