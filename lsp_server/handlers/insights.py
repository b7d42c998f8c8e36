"""What Tenon tells of itself: why a request ended so, a report, diagnostics; and events."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgspec

from .. import children
from ..diagnostics import Situation, diagnostics
from ..documents import LspWorkspace, path_of, root_of
from ..errors import TenonError
from ..protocol import Event, Page, Where
from .answers import convert

if TYPE_CHECKING:
    from ..server import TenonServer

REPORT_SECONDS = 60.0
"""A report takes about two; a disk that does not answer must not keep its child for ever."""


async def event(ls: "TenonServer", params: Any) -> None:
    """``tenon/event``: what became of a suggestion, as far as an editor can tell."""
    told = convert(params, Event, "the event")
    if ls.session.feedback is not None:
        ls.session.feedback.event(told)


async def why(ls: "TenonServer", params: Any) -> Any:
    """``tenon/why``: how the last request in a document ended, or null."""
    where = convert(params or {}, Where, "where")
    return msgspec.to_builtins(ls.session.explanations.last(where.uri))


async def describe(ls: "TenonServer", params: object) -> str:
    """``tenon/diagnostics``: text to paste where somebody is to help."""
    del params
    await ls.session.refresh()
    situation = Situation(
        status=ls.session.status(),
        paths=ls.paths,
        settings=ls.session.settings,
        troubles=tuple(ls.troubles.lines),
        editor=ls.client_name,
    )
    return await asyncio.to_thread(diagnostics, situation)


async def report(ls: "TenonServer", params: Any) -> Any:
    """``tenon/report``: the page about a repository, drawn by a child: it would hold up keys here.

    Raises TenonError.
    """
    where = convert(params or {}, Where, "where")
    path, roots = path_of(where.uri), cast("LspWorkspace", ls.workspace).roots()
    root = root_of(path, roots) or ls.session.root or next(iter(roots), None)
    if root is None:
        raise TenonError("no folder is open whose report could be shown; open one")
    if ls.session.feedback is not None:
        await ls.session.feedback.flush()
    return msgspec.to_builtins(Page(await _page(ls, root)))


async def _page(ls: "TenonServer", root: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *children.command("report", "--html", "-", "--", root),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ls.paths.root if ls.paths.root.is_dir() else None,
        env=children.environment(ls.paths),
        creationflags=children.no_window(),
    )
    try:
        async with asyncio.timeout(REPORT_SECONDS):
            page, trouble = await child.communicate()
    except TimeoutError:
        raise TenonError(
            f"the report was not ready after {REPORT_SECONDS:.0f} s; `tenon report` in a terminal "
            "waits for it"
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        said = trouble.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise TenonError(f"the report could not be made: {said[-1].removeprefix('tenon: ')}")
    return page.decode("utf-8")
