"""Check a proof bundle without Dialgate, its log or its operator: see docs/auditing.md.

python check_proof.py proof.json seal.pub

It needs Python and the `cryptography` package, and is written from the auditors' page alone. It
prints the records that are proven, one a line, and ends with 1 at the first thing that is not, with
2 where a file is missing or is not what it should be.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

BUNDLE = {"seal": str, "signature": str, "contacts": list, "records": list}
RECORD = {"partition": str, "position": int, "record": str, "path": list}


def root_by(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root to which a leaf's path leads in a tree of `size`: RFC 9162, 2.1.3.2."""
    found, siblings = leaf, list(path)
    while size > 1:
        if index ^ 1 < size:  # It has a sibling; the last one of an odd number moves up as it is.
            pair = (siblings.pop(0), found) if index % 2 else (found, siblings.pop(0))
            found = hashlib.sha256(b"\x01" + b"".join(pair)).digest()
        index, size = index // 2, (size + 1) // 2
    if siblings:
        raise ValueError("its path is too long")
    return found


def proven(bundle: dict[str, Any], key: Ed25519PublicKey) -> list[tuple[str, dict[str, Any]]]:
    """Return the place and the JSON of each record of a bundle. Raises what is wrong with it."""
    key.verify(base64.b64decode(bundle["signature"], validate=True), bundle["seal"].encode())
    sealed, records = json.loads(bundle["seal"])["partitions"], []
    for one in bundle["records"]:
        at, partition = f"{one['partition']}@{one['position']}", sealed[one["partition"]]
        raw = base64.b64decode(one["record"], validate=True)
        leaf = hashlib.sha256(b"\x00" + raw).digest()
        index, path = one["position"] - 1, [bytes.fromhex(step) for step in one["path"]]
        if not 0 <= index < partition["position"]:
            raise ValueError(f"{at} lies outside what was sealed")
        if root_by(leaf, index, partition["position"], path).hex() != partition["root"]:
            raise ValueError(f"{at} is not the record that was sealed there")
        records.append((at, json.loads(raw)))
    return records


def missing(bundle: dict[str, Any], records: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return where a record of a contact must stand between two that are shown."""
    gaps = []
    for contact in bundle["contacts"]:
        stream, version = f"contact/{contact}", 0
        for at, record in records:
            if (seen := record["condition"].get(stream)) is not None:
                if seen != version:
                    gaps.append(f"{stream}: before {at} stands one that is not shown")
                version = seen + sum(fact["stream"] == stream for fact in record["facts"])
    return gaps


def read(arguments: list[str]) -> tuple[dict[str, Any], Ed25519PublicKey]:
    """Return the bundle and the key that are named. Raises what cannot be used of them."""
    if len(arguments) != 2:
        raise ValueError("expected two files, such as proof.json seal.pub")
    bundle, key = json.loads(Path(arguments[0]).read_bytes()), Path(arguments[1]).read_bytes()
    if not is_of(bundle, BUNDLE) or not all(is_of(one, RECORD) for one in bundle["records"]):
        raise ValueError(f"{arguments[0]}: expected a bundle of `dialgate proof`")
    if not isinstance(found := load_pem_public_key(key), Ed25519PublicKey):
        raise ValueError(f"{arguments[1]}: expected an Ed25519 key")
    return bundle, found


def is_of(found: object, shape: Mapping[str, type]) -> bool:
    """Say whether something is an object with these members; lists hold texts or objects."""
    return isinstance(found, dict) and all(
        isinstance(found.get(name), kind)
        and (kind is not list or all(isinstance(one, str | dict) for one in found[name]))
        for name, kind in shape.items()
    )


def main() -> None:
    """Check the bundle that is named on the command line."""
    try:
        bundle, key = read(sys.argv[1:])
    except (OSError, ValueError, RecursionError, UnsupportedAlgorithm) as exc:
        print(f"check_proof.py: {exc}", file=sys.stderr)
        sys.exit(2)
    try:
        records = proven(bundle, key)
        lines = [
            " ".join([at, one["time"], one["actor"], *(fact["type"] for fact in one["facts"])])
            for at, one in records
        ]
        gaps = missing(bundle, records)
    except InvalidSignature:
        sys.exit("the seal was not signed with this key, or was altered")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as exc:
        sys.exit(f"not proven: {exc!r}" if isinstance(exc, KeyError) else f"not proven: {exc}")
    for line in lines:
        print(line)
    if gaps:
        sys.exit("\n".join(gaps))


if __name__ == "__main__":
    main()
