"""One type's JSON in a store: whatever was written can be read, at any depth of nesting. Pure.

Values that clients nest as they like: orjson parses, and pydantic validates the Python objects,
because pydantic's own JSON parser stops at about 200 levels, but its serializer writes more. Flat
structs: msgspec does both, in a fifth of the time. Source: ADR-0021.
"""

from typing import Generic, TypeVar

import orjson
from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, Encoder
from pydantic import TypeAdapter, ValidationError

from campaigns.process.errors import StoreUnreadableError

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


class Codec(Generic[T]):
    """Writes values of one type, and reads them back."""

    def __init__(self, kind: type[T]) -> None:
        self._name = kind.__name__
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        self.dump = adapter.dump_json
        self._validate = adapter.validator.validate_python

    def load(self, stored: bytes | str, where: str = "") -> T:
        """Return what `dump` wrote. `where`: what it belongs to, for messages.

        Raises:
            StoreUnreadableError: it is not JSON, or not of this type.

        """
        try:
            found: T = self._validate(orjson.loads(stored))
        except ValidationError as exc:
            first = exc.errors()[0]
            at = ".".join(map(str, first["loc"])) or "it"
            raise StoreUnreadableError(where or self._name, f"{at}: {first['msg']}") from exc
        except orjson.JSONDecodeError as exc:
            raise StoreUnreadableError(where or self._name, f"no JSON: {exc}") from exc
        return found


class StructCodec(Generic[S]):
    """Writes structs of one kind, and reads them back. Their fields nest nothing of clients."""

    def __init__(self, kind: type[S]) -> None:
        self._name = kind.__name__
        self.dump = Encoder().encode
        self._decode = Decoder(kind).decode

    def load(self, stored: bytes | str, where: str = "") -> S:
        """Return what `dump` wrote. `where`: what it belongs to, for messages.

        Raises:
            StoreUnreadableError: it is not JSON, or not of this type.

        """
        try:
            return self._decode(stored)
        except (MsgspecError, ValueError, RecursionError) as exc:
            raise StoreUnreadableError(where or self._name, str(exc)) from exc
