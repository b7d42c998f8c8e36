"""The rows of the comparison: who suggests, set up for one trace."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from lsp_server.cores import physical_cores
from lsp_server.prompt.formats import STARTER
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.editors import TENON, installed_home
from tests.starter import starter_file

from .llama_vscode import LlamaVscode
from .own_prompt import OwnPrompt
from .peer import LlamaServer
from .suggester import BenchmarkError, Suggester
from .tenon import Tenon

DEFAULT = ("tenon", "infill", "completion")
INDEX_SECONDS = 180


class Row(msgspec.Struct, frozen=True):
    """``kind``: tenon, infill, completion, or behind (Tenon in front of llama.cpp's server).

    ``settings`` are the server's, ``env`` goes into its environment, ``command`` is another
    ``tenon``; ``answers`` is how many an infill asks for at once.
    """

    name: str
    kind: str
    settings: dict[str, Any] = {}
    env: dict[str, str] = {}
    command: str = TENON
    answers: int = 1


ROWS = {
    "tenon": Row("tenon", "tenon"),
    "infill": Row("infill", "infill"),
    "infill3": Row("infill3", "infill", answers=3),
    "completion": Row("completion", "completion"),
    "behind": Row("behind", "behind"),
}
"""``infill3`` asks for three answers at once, which llama.vscode does unless told otherwise."""


def parse(text: str) -> Row:
    """``name`` of a known row, or ``name={json}``: Tenon with other settings. The JSON may have
    ``env`` and ``command`` (another checkout's ``tenon``) beside settings.
    """
    name, separator, given = text.partition("=")
    if not separator:
        if name not in ROWS:
            raise ValueError(f"there is no row {name}; there are {', '.join(ROWS)}")
        return ROWS[name]
    values: dict[str, Any] = msgspec.json.decode(given)
    env, command = values.pop("env", {}), values.pop("command", TENON)
    return Row(name, "tenon", values, env, command)


@asynccontextmanager
async def suggester(
    row: Row, home: Path, root: Path, seed: int, *, binary: Path | None = None
) -> AsyncIterator[Suggester]:
    """Whoever suggests in a row, not started yet; its processes are ended afterwards.

    ``binary`` is a llama-server to use instead of the one in xllamacpp.
    """
    if not (home / "models").exists():
        installed_home(home)
    model, log = starter_file(), home / f"{row.kind}.log"

    async def server() -> LlamaServer:
        return await LlamaServer.start(model, physical_cores(), STARTER.order, log, binary=binary)

    made: Suggester
    own: OwnPrompt | None = None
    behind: LlamaServer | None = None
    if row.kind == "tenon":
        made = Tenon(home, row.settings, env=row.env, command=row.command)
    elif row.kind == "behind":
        behind = await server()
        made = Tenon(home, {"engineUrl": behind.url} | row.settings)
    elif row.kind == "infill":
        made = LlamaVscode(server, STARTER, answers=row.answers, seed=seed)
    else:
        running = await server()
        own = await own_prompt(running, model, home, root)

        async def connected() -> LlamaServer:
            return running

        made = LlamaVscode(connected, STARTER, compose=own.compose, seed=seed)
        behind = running
    try:
        yield made
    finally:
        try:
            await made.close()
        finally:
            if behind is not None:
                await behind.close()
            if own is not None:
                own.close()


async def own_prompt(server: LlamaServer, model: Path, home: Path, root: Path) -> OwnPrompt:
    """Tenon's prompts for that server: its index is made, and the server's speed is measured, as
    Tenon's engine measures its own when it starts.
    """
    command = [TENON, "index", str(root)]
    environment = {**os.environ, "TENON_HOME": str(home)}
    try:
        await asyncio.to_thread(
            subprocess.run,
            command,
            env=environment,
            cwd=home,
            check=True,
            capture_output=True,
            timeout=INDEX_SECONDS,
        )
    except subprocess.SubprocessError as error:
        raise BenchmarkError(f"tenon index {root}: {error}") from error
    body = {"prompt": list(range(1000, 1256)), "n_predict": 8, "ignore_eos": True}
    timings = {}
    for _ in range(2):  # the first one also warms up
        answer = await server.post("/completion", body | {"cache_prompt": False})
        timings = answer["timings"]
    return OwnPrompt(
        model,
        STARTER,
        root,
        RepositoryStore.of(StorePaths(home), root).index,
        prefill=timings["prompt_per_second"],
        decode=timings["predicted_per_second"],
    )
