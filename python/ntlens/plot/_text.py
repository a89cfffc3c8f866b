"""Text of a dump in a picture: names are chosen by whoever made the object, and must stay text.

All of it is set in a font of one width that comes with matplotlib, so that what fits is known without drawing.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, get_font

from ntlens._ntlens import visible

#: Names, numbers, addresses.
MONO = FontProperties(family="DejaVu Sans Mono")
#: What the pictures say by themselves.
SANS = FontProperties(family="DejaVu Sans")
#: Width of a character of the one-width font, in its size.
ADVANCE = 0.602
POINT = 1 / 72


def plain(properties: FontProperties, size: float, **more: Any) -> dict[str, Any]:
    """How text is set: no markup, whatever the user's settings are. A `$` is a dollar sign."""
    font = properties.copy()
    font.set_size(size)
    return {"fontproperties": font, "parse_math": False, "usetex": False, **more}


#: The characters that the font has a shape for.
_DRAWABLE = frozenset(get_font(findfont(MONO)).get_charmap())


def clean(text: str) -> str:
    """The text with everything as `\\u{..}` that steers, has no shape in the font, or is drawn over its neighbours."""
    return "".join(character if _stands(character) else f"\\u{{{ord(character):x}}}" for character in visible(text))


def _stands(character: str) -> bool:
    return " " <= character <= "~" or (ord(character) in _DRAWABLE and unicodedata.category(character)[0] not in "MC")


def fit(text: str, inches: float, size: float, *, middle: bool = False) -> str:
    """A clean text, cut to a width: at its end, or in the middle where both ends of a path matter."""
    shown, room = clean(text), max(int(inches / (ADVANCE * size * POINT)), 1)
    if len(shown) <= room:
        return shown
    if not middle:
        return shown[: room - 1] + "…"
    head = (room - 1) // 3
    return shown[:head] + "…" + shown[len(shown) - (room - 1 - head) :]


def width(text: str, size: float) -> float:
    """The width of a clean text in inches."""
    return len(text) * ADVANCE * size * POINT


def count(number: int, thing: str, things: str | None = None) -> str:
    """`1 handle`, `1,200 handles`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
