"""Looks for a text in files, byte by byte, in every encoding that it may have. No test in here."""

import gzip
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

GZIP = b"\x1f\x8b"


def forms_of(text: str) -> set[bytes]:
    """Return the bytes of a text in every encoding in which somebody could still read it."""
    plain = text.encode()
    forms = {plain, text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-32-le")}
    forms |= {plain.hex().encode(), plain.hex().upper().encode()}
    forms |= {quote(text, safe="").encode(), quote_plus(text).encode()}
    percent = "".join(f"%{byte:02x}" for byte in plain)
    forms |= {percent.encode(), percent.upper().encode()}
    escaped = "".join(f"\\u{ord(one):04x}" for one in text)
    forms |= {escaped.encode(), escaped.replace("\\", "\\\\").encode()}
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):  # Its three alignments: what depends on the neighbours is cut off.
            coded = encode(bytes(before) + plain).rstrip(b"=")
            whole = (before + len(plain)) // 3 * 4
            forms.add(coded[(0, 2, 3)[before] : whole])
    return forms


def traces(paths: Iterable[Path], texts: Iterable[str]) -> list[tuple[str, str, bytes]]:
    """Return each file that holds one of the texts: its path, the text, and the form it is in."""
    wanted = [(text, form) for text in texts for form in forms_of(text)]
    return [
        (str(path), text, form)
        for path in paths
        for raw in _contents(path)
        for text, form in wanted
        if form in raw
    ]


def files_in(*folders: Path) -> Iterator[Path]:
    """Yield every file in folders, SQLite's journals and logs beside them included."""
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes; of a compressed one also what is in it."""
    raw = path.read_bytes()
    yield raw
    if raw.startswith(GZIP):
        yield gzip.decompress(raw)
    if path.suffix == ".parquet":
        from pyarrow import parquet

        yield repr(parquet.read_table(path).to_pydict()).encode()
