"""Which models there are, and which one is to serve."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from pygls.exceptions import JsonRpcInvalidParams

from .. import protocol
from .answers import at_most, begun, convert, text_at

if TYPE_CHECKING:
    from ..server import TenonServer


async def models(ls: "TenonServer", params: object) -> list[dict[str, Any]]:
    """``tenon/models``: the catalogue and the store, installed ones first."""
    del params
    # In a thread, with its import: the store reads files, and brings numpy in.
    lines = await asyncio.to_thread(_lines, ls)
    plain: list[dict[str, Any]] = msgspec.to_builtins(lines)
    return plain


async def choose_model(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.chooseModel``: answered once the model serves."""
    at_most(arguments, 2, protocol.CHOOSE_MODEL)
    name = text_at(arguments, 0, "the model's name")
    if not name:
        raise JsonRpcInvalidParams("the model's name is empty; `tenon/models` has the names")
    noted = convert(arguments[1], bool, "whether it is noted") if len(arguments) > 1 else False
    await begun(ls.bootstrap).choose(name, noted=noted)


def _lines(ls: "TenonServer") -> list[protocol.ModelLine]:
    from ..model_listing import model_lines  # noqa: PLC0415

    return model_lines(ls.paths)
