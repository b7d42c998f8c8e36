"""Somebody else's engine: llama.cpp's real server behind Tenon's client and provider."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from lsp_server.completion.engine import GenerationRequest
from lsp_server.completion.provider import CompletionProvider, Query
from lsp_server.completion.reasons import Reason
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, RunningEngine
from lsp_server.engine.remote import RemoteEngine, connect
from lsp_server.engine.supervisor import EngineState, EngineSupervisor
from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.prompt.assemble import Prompt, Source
from lsp_server.prompt.formats import Special, Text
from lsp_server.store.paths import StorePaths
from tests.starter import plain_file


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.llama_server", str(plain_file())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        assert server.stdin
        yield server.stdout.readline().strip()
        server.stdin.close()


@pytest.fixture
async def remote(url: str) -> AsyncIterator[RemoteEngine]:
    client = await connect(url, "")
    assert isinstance(client, RemoteEngine)
    yield client
    await client.aclose()


async def test_it_tells_what_it_serves(remote: RemoteEngine) -> None:
    info = await remote.info()
    assert info.context == 1024
    assert info.fim.name == "plain"
    assert info.model


async def test_counts_and_answers_agree_with_tenons_own_engine(
    remote: RemoteEngine, engine: HttpEngine
) -> None:
    lines = ["def add(a, b):\n", "    return a + b\n", "«<|endoftext|>»\n"]
    assert await remote.count_tokens(lines) == await engine.count_tokens(lines)
    request = GenerationRequest(Prompt((Text("def add(a, b):\n    return a"),)), 3, heal=False)
    answers = [
        "".join([chunk.text async for chunk in client.generate(request)])
        for client in (remote, engine)
    ]
    assert answers[0] == answers[1] != ""


async def test_control_tokens_are_sent_as_ids(remote: RemoteEngine) -> None:
    prompt = Prompt((Special("<|endoftext|>"), Text("import numpy as")), stops=("<|im_end|>",))
    chunks = [chunk async for chunk in remote.generate(GenerationRequest(prompt, 2))]
    assert "".join(chunk.text for chunk in chunks).strip() == "np"
    assert chunks[-1].timings["prompt_n"] + chunks[-1].timings.get("cache_n", 0) == 4


async def test_a_provider_completes_through_it(remote: RemoteEngine) -> None:
    source = Source("def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a", "\n")
    completion = await CompletionProvider().complete(Query("file:///a.py", source), remote)
    assert completion.reason is Reason.SHOWN
    assert completion.text == " - b"


async def test_a_supervisor_uses_it_and_starts_nothing(url: str, tmp_path) -> None:
    paths = StorePaths(tmp_path / "home")
    supervisor = EngineSupervisor(EngineOptions(url=url), paths, lambda _status: None)
    assert isinstance(await supervisor.wait_ready(10), RemoteEngine)
    assert supervisor.status.pid is None
    with pytest.raises(EngineRequestError, match="not Tenon's own"):
        await supervisor.switch_model("another")
    await supervisor.aclose()
    assert not paths.engine_json.exists()


async def test_what_is_no_engine_is_a_clear_error(tmp_path, running: RunningEngine) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(EngineUnavailableError, match="no engine"):
        await connect(f"http://127.0.0.1:{port}", "")
    server.close()
    await server.wait_closed()

    options = EngineOptions(url=running.url, api_key="wrong")
    supervisor = EngineSupervisor(options, StorePaths(tmp_path), lambda _status: None)
    with pytest.raises(EngineUnavailableError, match="API key"):
        await supervisor.wait_ready(10)
    assert supervisor.status.state is EngineState.FAILED
    await supervisor.aclose()
