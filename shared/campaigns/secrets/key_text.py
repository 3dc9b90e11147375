"""Master keys as operators write them: base64. Settings read it without loading a cipher. Pure."""

from base64 import b64decode

KEY_BYTES = 32


def key_of(text: str) -> bytes:
    """Return the key that is written in base64.

    Raises:
        ValueError: it is not base64 of 32 bytes; the message shows nothing of it.

    """
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"expected base64 of {KEY_BYTES} bytes (openssl rand -base64 {KEY_BYTES})")
    return key


def keys_of(text: str) -> tuple[bytes, ...]:
    """Return the keys that are written in base64, the newest first: on lines, or between commas.

    Raises:
        ValueError: one is not base64 of 32 bytes, or there is none; the message shows nothing.

    """
    return tuple(dict.fromkeys(key_of(word) for word in text.replace(",", " ").split() or [""]))
