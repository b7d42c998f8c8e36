"""``tenon status``: what runs on this machine and why not; starts nothing."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec

from .. import __version__
from ..completion.engine import EngineInfo
from ..diagnostics import Situation, diagnostics
from ..engine.launcher import RunningEngine, find
from ..engine.supervisor import EngineState, EngineStatus
from ..errors import AdapterError, EngineError
from ..protocol import Status
from ..session.status import report_engine
from ..store.adapters import AdapterRegistry
from ..store.adapters.manifest import base_identity
from ..store.catalogue import STARTER
from ..store.choosing import serving_store
from ..store.models import ModelStore
from ..store.paths import StorePaths
from ..store.repositories import RepositoryStore
from .complete import repository_of
from .trainer_lines import trainer_facts, trainer_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the form of the answer."""
    parser.add_argument("--json", action="store_true", help="the same for a program")
    parser.add_argument(
        "--diagnostics", action="store_true", help="text to paste where somebody is to help"
    )


def run(options: argparse.Namespace) -> int:
    """Print the status; returns 0 whether an engine runs or not."""
    paths = StorePaths.default()
    report = collect(paths, Path.cwd())
    if options.diagnostics:
        print(diagnostics(Situation(msgspec.convert(report, Status), paths)), end="")
    elif options.json:
        print(json.dumps(report))
    else:
        print("\n".join(describe(report)))
    return 0


def collect(paths: StorePaths, folder: Path) -> dict[str, Any]:
    """``tenon/status`` as a shell in ``folder`` sees it, and what is on disk.

    ``adapter`` is the one that serves the repository around the folder, or would if an engine ran.
    Besides the fields of ``protocol.Status``: ``home``, ``log``, ``chosen`` (None: the starter)
    and ``installed`` (names); and those of :func:`trainer_facts`.
    """
    store = ModelStore(paths)
    installed = [model.name for model in store.installed()]
    chosen = store.chosen()
    running = find(paths)
    engine, why = asyncio.run(_ask(running)) if running else (EngineStatus(EngineState.STOPPED), "")
    info = engine.info
    wanted = chosen or STARTER
    if info is not None:
        message = f"{info.model} is serving."
    elif why:
        message = why
    elif wanted not in installed:
        message = f"{wanted} is not installed; `tenon models pull {wanted}` fetches it."
    else:
        message = f"The engine is not running; an editor or `tenon complete` starts it on {wanted}."
    adapter, trouble = _adapter(paths, repository_of(folder / "_"), info)
    status = Status(
        state="ready" if info else "error" if why else "stopped",
        message=message,
        version=__version__,
        engine=report_engine(engine),
        model=info.model if info else "",
        adapter=adapter,
        last_error=why or trouble,
    )
    return {
        **status.wire(),
        **trainer_facts(RepositoryStore.of(paths, repository_of(folder / "_"))),
        "home": str(paths.root),
        "log": str(paths.logs / "engine.log"),
        "chosen": chosen,
        "installed": installed,
    }


def describe(report: dict[str, Any]) -> list[str]:
    """A report as lines for a person."""
    engine = report["engine"]
    lines = [f"Tenon {report['version']}: {report['message']}"]
    if engine["state"] == EngineState.READY:
        lines.append(f"engine     process {engine['pid']} at {engine['url']}")
        lines.append(
            f"speed      {engine['prefillSpeed']:.0f} tokens/s read, "
            f"{engine['decodeSpeed']:.0f} written, context {engine['context']}"
        )
    lines.append(f"chosen     {report['chosen'] or 'none, so the starter serves'}")
    lines.append(f"adapter    {report['adapter'] or 'none for this folder'}")
    if report["lastError"] not in {"", report["message"]}:
        lines.append(f"           {report['lastError']}")
    lines += trainer_lines(report)
    lines.append(f"installed  {', '.join(report['installed']) or 'nothing yet'}")
    lines.append(f"home       {report['home']}")
    lines.append(f"log        {report['log']}")
    return lines


def _adapter(paths: StorePaths, root: Path, info: EngineInfo | None) -> tuple[str | None, str]:
    """The adapter of a repository, or why the one that was activated does not serve."""
    registry = AdapterRegistry(serving_store(paths, root).store)
    try:
        if info is None:
            return registry.active_id(), ""
        active = registry.active(base_identity(ModelStore(paths), info.model, info.sha256))
    except AdapterError as error:
        return None, str(error)
    return (active.adapter.id if active else None), ""


async def _ask(running: RunningEngine) -> tuple[EngineStatus, str]:
    """What a running engine says of itself, or why it does not."""
    client = running.connect()
    try:
        info = await client.info()
    except EngineError as error:
        status = EngineStatus(EngineState.FAILED, str(error), pid=running.pid, url=running.url)
        return status, str(error)
    finally:
        await client.aclose()
    return EngineStatus(EngineState.READY, "", info, running.pid, running.url), ""
