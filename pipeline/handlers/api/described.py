"""Descriptions of fields whose content is checked elsewhere."""

from __future__ import annotations

from typing import cast

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class DescribedAs:
    """Gives a field the JSON schema of another model, as an annotation. What the field takes stays as it is.

    The messenger makes the model of a part of a send, so that all errors of a send are told in the same way.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return a reference to the schema of the model."""
        named = {**self._model.__pydantic_core_schema__, "ref": f"{self._model.__module__}.{self._model.__name__}:0"}
        # A step of a chain becomes a reference; the schema of the field itself would be written out in its place.
        return handler(core_schema.chain_schema([cast("CoreSchema", named)]))
