"""Authenticators from a CSV file (RFC 4180): ``user,secret[,label]`` a line, with or without a line of headings.

user,secret,label
alice,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,My phone
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from . import Flaw, ImportFailed, Reading, Row

_HEADINGS = (["user", "secret"], ["user", "secret", "label"])


def read_csv(path: Path) -> Reading:
    """The rows of a file in UTF-8. ImportFailed where it is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(list(_numbered(file)))
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ImportFailed(f"{path}: not UTF-8") from None
    except csv.Error as error:
        raise ImportFailed(f"{path}: not CSV: {error}") from None


def _numbered(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The cells of each record that is not empty, with the number of its first line."""
    reader, begins = csv.reader(file, strict=True), 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield begins, [cell.strip() for cell in cells]
        begins = reader.line_num + 1


def _read(lines: list[tuple[int, list[str]]]) -> Reading:
    if lines and [cell.lower() for cell in lines[0][1]] in _HEADINGS:
        lines = lines[1:]
    rows, flaws = [], []
    for number, cells in lines:
        where = f"line {number}"
        if len(cells) not in (2, 3):
            message = f"{len(cells)} columns; allowed are user,secret or user,secret,label"
            flaws.append(Flaw(where=where, message=message))
            continue
        user, secret, *label = cells
        rows.append(Row(where=where, user=user, secret=secret, label=label[0] if label else ""))
    return Reading(rows=tuple(rows), flaws=tuple(flaws))
