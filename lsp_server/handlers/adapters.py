"""Which adapters a repository has, and which one is to serve."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .. import protocol
from .answers import at_most, text_at
from .folders import root_at, root_where

if TYPE_CHECKING:
    from ..server import TenonServer
    from ..switching import Switch


async def adapters(ls: "TenonServer", params: object) -> dict[str, Any]:
    """``tenon/adapters``: those of one repository, newest first."""
    root = root_where(ls, params)
    listed = await asyncio.to_thread(lambda: _switch(ls, root).listed())
    plain: dict[str, Any] = msgspec.to_builtins(listed)
    return plain


async def activate_adapter(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.activateAdapter``: answered once it serves, if an engine runs."""
    at_most(arguments, 2, protocol.ACTIVATE_ADAPTER)
    name = text_at(arguments, 0, "the adapter's id")
    root = root_at(ls, arguments, 1)
    await asyncio.to_thread(lambda: _switch(ls, root).activate(name))
    await ls.session.follow_adapters(anew=True)


async def rollback_adapter(ls: "TenonServer", arguments: Sequence[Any]) -> str | None:
    """``tenon.rollbackAdapter``: the id of the one that serves again; null: the base alone."""
    at_most(arguments, 1, protocol.ROLLBACK_ADAPTER)
    root = root_at(ls, arguments, 0)
    now = await asyncio.to_thread(lambda: _switch(ls, root).rollback())
    await ls.session.follow_adapters(anew=True)
    return now


def _switch(ls: "TenonServer", root: str) -> "Switch":
    """In a thread, with its import: the store reads files, and brings numpy in."""
    from ..switching import Switch  # noqa: PLC0415

    info = ls.session.engines.status.info if ls.session.engines else None
    return Switch.of(ls.paths, root, info)
