"""From one accent colour to those of a page, legible on light and on dark ground (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

from dataclasses import dataclass

LIGHT_GROUND, DARK_GROUND = "#ffffff", "#1a1e26"
"""What an accent stands on, as ``html/layout.html`` has it."""

ENOUGH = 4.5
"""The contrast that text needs."""


@dataclass(frozen=True, slots=True)
class Accents:
    """The accent and the colour of text upon it, on light and on dark ground; each ``#rrggbb``."""

    light: str
    on_light: str
    dark: str
    on_dark: str


def accents_of(accent: str) -> Accents:
    """``accent`` moved towards black or white no further than contrast asks for."""
    light, dark = _legible(accent, LIGHT_GROUND, "#000000"), _legible(accent, DARK_GROUND, "#ffffff")
    return Accents(light, _upon(light), dark, _upon(dark))


def contrast(one: str, other: str) -> float:
    """The ratio of two colours, 1 to 21."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _legible(colour: str, ground: str, towards: str) -> str:
    for step in range(101):
        mixed = _mix(colour, towards, step / 100)
        if contrast(mixed, ground) >= ENOUGH:
            return mixed
    return towards


def _upon(colour: str) -> str:
    return max(("#ffffff", "#000000"), key=lambda text: contrast(text, colour))


def _mix(colour: str, other: str, share: float) -> str:
    parts = (round(a + (b - a) * share) for a, b in zip(_channels(colour), _channels(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
