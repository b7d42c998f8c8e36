"""What a request or command of ours is given and answers: checked values, and clear LSP errors."""

import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import msgspec
from lsprotocol.types import LSPErrorCodes
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from ..errors import TenonError

if TYPE_CHECKING:
    from ..server import TenonServer

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Feature: TypeAlias = Callable[["TenonServer", Any], Awaitable[Any]]
"""Answers a request or notification of LSP; the second argument is its parameters."""
Command: TypeAlias = Callable[["TenonServer", Sequence[Any]], Awaitable[Any]]
"""Runs a command; the second argument is what it was given, as JSON values."""


def convert(value: object, kind: type[_T], what: str) -> _T:
    """A JSON value as ``kind``; raises ``JsonRpcInvalidParams`` that names ``what`` was wrong."""
    try:
        return msgspec.convert(value, kind, from_attributes=True)
    except msgspec.ValidationError as error:
        raise JsonRpcInvalidParams(f"{what}: {error}") from error


def text_at(arguments: Sequence[Any], place: int, what: str, default: str | None = None) -> str:
    """The argument at ``place`` (from 0); ``default`` None: it must be there."""
    if place >= len(arguments) or (arguments[place] is None and default is not None):
        if default is None:
            raise JsonRpcInvalidParams(f"{what} is missing: give it as argument {place + 1}")
        return default
    return convert(arguments[place], str, what)


def at_most(arguments: Sequence[Any], count: int, command: str) -> None:
    """Raises ``JsonRpcInvalidParams`` if a command was given more than it takes."""
    if len(arguments) > count:
        raise JsonRpcInvalidParams(f"{command} takes {count} arguments, not {len(arguments)}")


def begun(part: _T | None) -> _T:
    """A part of the server that comes after ``initialized``; raises TenonError until then."""
    if part is None:
        raise TenonError("Tenon is still starting; try again in a moment")
    return part


def told(work: Feature) -> Feature:
    """The same request, whose failures are errors that say what to do, never tracebacks."""

    async def answer(ls: "TenonServer", params: Any) -> Any:
        return await _or_error(work(ls, params), getattr(work, "__name__", "request"))

    return answer


def as_command(work: Command) -> Callable[..., Any]:
    """A command as pygls calls it: with its arguments one by one."""

    @functools.wraps(work, assigned=("__name__", "__doc__"), updated=())
    async def command(ls: Any, *arguments: Any) -> Any:
        return await _or_error(work(cast("TenonServer", ls), arguments), command.__name__)

    # pygls reads the parameters of a handler, and must see these, not those of `work`.
    del command.__wrapped__
    return command


async def _or_error(work: Awaitable[Any], name: str) -> Any:
    try:
        return await work
    except JsonRpcException:
        raise
    except (TenonError, OSError) as error:
        raise JsonRpcException(str(error), code=int(LSPErrorCodes.RequestFailed)) from error
    except Exception as error:
        _log.exception("%s failed", name)
        message = f"{name} failed: {error!r}; Tenon's log says where"
        raise JsonRpcException(message, code=int(LSPErrorCodes.RequestFailed)) from error
