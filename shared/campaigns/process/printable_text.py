"""Texts that may be printed: no text of a tenant steers an operator's terminal. Pure.

What steers are control characters (C0 and C1, and so each escape sequence), marks that turn the
direction of a text or hide in it, and lone surrogates, which no terminal can be sent.
"""

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
_TURNS_LINE = re.compile("[\t\n]")


def clean(text: object) -> str:
    """Return a text as it may be printed: what steers is escaped as JSON does, so JSON stays so.

    Tabs and line ends stay.
    """
    return _STEERING.sub(_escaped, str(text))


def one_line(text: object) -> str:
    """Return a text as a part of a line."""
    return _TURNS_LINE.sub(_escaped, clean(text))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
