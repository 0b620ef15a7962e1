"""Answers as structs. What a newer service says beside them is left out; what is missing or wrong is an error."""

from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")


def decoded(body: bytes, kind: type[T]) -> T:
    """An answer as a struct.

    Raises:
        msgspec.MsgspecError: it is not one.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(_known(msgspec.json.decode(body), inspect.type_info(kind)), kind)


def _known(value: Any, kind: inspect.Type) -> Any:  # noqa: ANN401 # any JSON
    """A value without the fields of objects that their structs do not name."""
    match kind, value:
        case inspect.StructType(fields=fields), dict():
            kinds = {field.encode_name: field.type for field in fields}
            return {name: _known(each, kinds[name]) for name, each in value.items() if name in kinds}
        case ((inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner)), list()):
            return [_known(each, inner) for each in value]
    return value
