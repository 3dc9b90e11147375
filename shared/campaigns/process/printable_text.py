"""Text that is safe to print: a tenant's text cannot control an operator's terminal. Pure.

Unsafe are control characters (C0 and C1, and with them every escape sequence), invisible marks
and those that change a text's direction, and lone surrogates, which cannot be encoded.
"""

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
_TURNS_LINE = re.compile("[\t\n]")


def clean(text: object) -> str:
    """Return a text with unsafe characters escaped as in JSON, so that JSON stays valid.

    Tabs and line ends are kept.
    """
    return _STEERING.sub(_escaped, str(text))


def one_line(text: object) -> str:
    """Return a text that is also safe within one line: tabs and line ends are escaped too."""
    return _TURNS_LINE.sub(_escaped, clean(text))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
