"""Characters as people, spreadsheets and phones type them: invisible, wide, of any script. Pure.

Source: contract 5; the Unicode Character Database's categories.
"""

import re
import unicodedata

# Visible format characters: signs before Arabic and other numbers, and the tags that end a flag.
# Source: UCD, Prepended_Concatenation_Mark; UTS 51.
_SEEN = re.compile(
    r"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U000e0020-\U000e007f]"
)
# Letters and signs without a visible shape. Source: UCD, Default_Ignorable_Code_Point; braille's.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_NARROW = {"＋": "+", "﹢": "+", "／": "/", "⁄": "/", "∕": "/", "．": "."}
_MARKS = ("Mn", "Mc")  # Accents and vowel signs: part of the letter before them.


def invisible(char: str) -> bool:
    """Say whether a character is invisible: direction marks, joiners, byte-order marks."""
    if unicodedata.category(char) == "Cf":
        return not _SEEN.match(char)
    return char in _BLANKS


def trimmed(text: str) -> str:
    """Return a text without surrounding spaces and invisible characters; inside they may matter."""
    text = text.strip()
    if text.isascii():
        return text
    if not (invisible(text[0]) or invisible(text[-1])):
        return text
    # Each distinct character is looked at once: a cell may repeat one a hundred thousand times.
    return text.strip("".join(char for char in set(text) if char.isspace() or invisible(char)))


def seen(text: str, but: str = "") -> bool:
    """Say whether a text has a visible character other than those in `but`."""
    return any(not (one.isspace() or one in but or invisible(one)) for one in set(text))


def digits_of(text: str) -> str:
    """Return a text with ASCII digits and without invisible characters, if in one script."""
    scripts = set[int]()
    found: list[str] = []
    for char in text:
        digit = unicodedata.decimal(char, None)
        if digit is not None:
            scripts.add(ord(char) - digit)
            found.append(str(digit))
        elif not invisible(char):
            found.append(char)
    return "".join(found) if len(scripts) <= 1 else text


def narrow(char: str) -> str:
    """Return the ASCII character that a sign of a phone number means; a space for a bracket."""
    if unicodedata.category(char) in ("Pd", "Ps", "Pe") or char in "·・･":
        return " "
    return _NARROW.get(char, char)


def words_of(header: str) -> list[str]:
    """Return a header's words: letters and digits of any script, with their marks.

    `Pre\u0301nom` is one word, as `Prénom` is; so is one with a joiner in it.
    """
    words, word = list[str](), ""
    for char in unicodedata.normalize("NFC", header):
        if char.isalnum() or (word and unicodedata.category(char) in _MARKS):
            word += char
        elif not invisible(char) and word:
            words.append(word)
            word = ""
    return [*words, word] if word else words
