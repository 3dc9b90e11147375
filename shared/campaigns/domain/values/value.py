"""The base of facts and of what they are made of: a closed struct, and its validation. Pure.

A value is declared once, as a msgspec struct. From that declaration come the fast decoder
(records/fast_reader.py) and a pydantic model, which decides whenever the fast decoder is in doubt,
validates external input (`validated`), and reads and writes values in stores and answers.
Constructing a value validates nothing. Source: ADR-0025.
"""

from datetime import date, datetime
from enum import StrEnum
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.json import Encoder
from msgspec.structs import fields
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

_NARROW = {"narrow": True}
# Beyond them JSON parsers differ; and numbers of 16 digits are the largest in a stream's name.
_INT_MIN, _INT_MAX = Meta(ge=-(2**53), extra=_NARROW), Meta(le=2**53, extra=_NARROW)

# Bounds marked as narrow apply only to the fast decoder: beyond them pydantic decides.
Int = Annotated[int, _INT_MIN, _INT_MAX]
Count = Annotated[int, Meta(ge=0), _INT_MAX]
PositiveInt = Annotated[int, Meta(gt=0), _INT_MAX]
PositiveFloat = Annotated[float, Meta(gt=0)]


def one_line(chars: int) -> Meta:
    """Return a narrow bound for texts with a pattern: Python's `$` lets a line's end follow."""
    return Meta(max_length=chars, extra=_NARROW)


_encode = Encoder().encode


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A frozen struct without unknown fields. It holds only JSON, so it has no reference cycles."""

    STRICT: ClassVar[bool] = True  # False: the log has been read leniently ("3" is 3, so is true).

    @classmethod
    def validated(cls, found: object) -> Self:
        """Return the value that pydantic makes of JSON, or of values.

        Raises:
            pydantic.ValidationError: it is not a valid value of this type.

        """
        return cls._made(_model(cls).__pydantic_validator__.validate_python(found))

    def as_json(self) -> bytes:
        """Return it as JSON, as stores keep it."""
        return _encode(self)

    @classmethod
    def _made(cls, model: BaseModel) -> Self:
        return cls(**model.__dict__)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic read and write this inside its models and a store's codec."""

        def read(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> Value:
            return value if isinstance(value, cls) else cls._made(validate(value))

        return core_schema.no_info_wrap_validator_function(
            read,
            handler.generate_schema(_model(cls)),
            serialization=core_schema.plain_serializer_function_ser_schema(plain),
        )


def plain(value: object) -> object:
    """Return a value as dictionaries, nested values too; anything else in it is unchanged."""
    if isinstance(value, Value):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


@cache
def hints(kind: type[Value]) -> dict[str, Any]:
    """Return the declarations of a kind's fields, in order. Any: declarations."""
    declared = get_type_hints(kind, include_extras=True)
    return {name: declared[name] for name in kind.__struct_fields__}


@cache
def _model(kind: type[Value]) -> type[BaseModel]:
    """Return the pydantic model of a kind: the validation that readers have always done."""
    config = ConfigDict(frozen=True, extra="forbid", strict=kind.STRICT, allow_inf_nan=False)
    made: dict[str, Any] = {}  # Any: as pydantic takes fields.
    for field in fields(kind):
        declared = _declared(hints(kind)[field.name])
        if field.default_factory is not NODEFAULT:
            made[field.name] = (declared, Field(default_factory=field.default_factory))
        else:
            made[field.name] = (declared, ... if field.required else field.default)
    found: type[BaseModel] = create_model(kind.__name__, __config__=config, **made)
    return found


def _declared(hint: Any) -> Any:  # Any: what a field may be declared as, here and there.
    """Return a field's declaration for pydantic. JSON has no times, words or tuples: not strict."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        metas = [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]
        return reduce(_bounded, metas, _declared(parts[0]))
    if origin in (Union, UnionType):
        return reduce(or_, map(_declared, parts))
    if origin is dict:
        return dict[tuple(map(_declared, parts))]  # type: ignore[misc]  # Made at run time.
    if origin is tuple:
        assert parts[1:] == (...,), "values hold tuples of one kind"
        return Annotated[tuple[_declared(parts[0]), ...], Field(strict=False)]  # type: ignore[misc]
    if hint is datetime:
        return Annotated[AwareDatetime, Field(strict=False)]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Annotated[hint, Field(strict=False)]
    assert hint in (int, str, float, bool, date, object, type(None)) or issubclass(hint, Value)
    return hint


def _bounded(declared: Any, meta: Meta) -> Any:  # Any: as above.
    if meta.extra == _NARROW:
        return declared
    names = ("gt", "ge", "lt", "le", "pattern", "min_length", "max_length")
    bounds: dict[str, Any] = {n: b for n in names if (b := getattr(meta, n)) is not None}
    return Annotated[declared, Field(**bounds)] if bounds else declared
