"""Which repository a command or a request means."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from pygls.exceptions import JsonRpcInvalidParams

from ..documents import LspWorkspace, path_of, root_of
from ..errors import TenonError
from ..protocol import Where
from .answers import convert, text_at

if TYPE_CHECKING:
    from ..server import TenonServer


def root_meant(ls: "TenonServer", uri: str) -> str:
    """The open folder that holds ``uri``; the one that was asked about last if that is empty.

    Raises ``JsonRpcInvalidParams`` for a place that is in none, TenonError if none is open.
    """
    roots = cast("LspWorkspace", ls.workspace).roots()
    if not uri:
        meant = ls.session.root or next(iter(roots), None)
        if meant is None:
            raise TenonError("no folder is open; open the folder of a repository first")
        return meant
    root = root_of(path_of(uri), roots)
    if root is None:
        raise JsonRpcInvalidParams(f"{uri} lies in no folder that is open here; open its folder")
    return root


def root_at(ls: "TenonServer", arguments: Sequence[Any], place: int) -> str:
    """As :func:`root_meant`, of a command's argument at ``place``, which may be left out."""
    return root_meant(ls, text_at(arguments, place, "the uri", ""))


def root_where(ls: "TenonServer", params: object) -> str:
    """As :func:`root_meant`, of a request's parameters: a ``Where``, or none."""
    return root_meant(ls, convert(params or {}, Where, "the parameters").uri)
