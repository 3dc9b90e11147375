"""The master key as operators write it: base64. Settings read it without loading a cipher. Pure."""

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
