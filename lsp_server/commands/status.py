"""``tenon status``: what runs on this machine and why not; starts nothing."""

import argparse
import asyncio
import json
from typing import Any

from .. import __version__
from ..engine.launcher import RunningEngine, find
from ..engine.supervisor import EngineState, EngineStatus
from ..errors import EngineError
from ..protocol import Status
from ..session import report_engine
from ..store.catalogue import STARTER
from ..store.models import ModelStore
from ..store.paths import StorePaths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the form of the answer."""
    parser.add_argument("--json", action="store_true", help="the same for a program")


def run(options: argparse.Namespace) -> int:
    """Print the status; returns 0 whether an engine runs or not."""
    report = collect(StorePaths.default())
    if options.json:
        print(json.dumps(report))
    else:
        print("\n".join(describe(report)))
    return 0


def collect(paths: StorePaths) -> dict[str, Any]:
    """``tenon/status`` as a shell sees it, and what is on disk.

    Besides the fields of ``protocol.Status``: ``home``, ``log``, ``chosen`` (None: the starter)
    and ``installed`` (names).
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
    status = Status(
        state="ready" if info else "error" if why else "stopped",
        message=message,
        version=__version__,
        engine=report_engine(engine),
        model=info.model if info else "",
        last_error=why,
    )
    return {
        **status.wire(),
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
    lines.append(f"installed  {', '.join(report['installed']) or 'nothing yet'}")
    lines.append(f"home       {report['home']}")
    lines.append(f"log        {report['log']}")
    return lines


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
