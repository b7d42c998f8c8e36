"""The engine process: found, shared, replaced, restarted, ended."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest
from filelock import FileLock

from lsp_server import __version__
from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import (
    EngineOptions,
    RunningEngine,
    find,
    find_or_start,
    switch_model,
)
from lsp_server.engine.record import EngineRecord
from lsp_server.engine.supervisor import EngineState, EngineStatus, EngineSupervisor
from lsp_server.errors import EngineError, EngineRequestError, EngineStartError
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.starter import PLAIN, plain_file

SMALL = EngineOptions(context=512)
ENGINE = [sys.executable, "-P", "-m", "lsp_server", "engine", "--context", "512"]


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(pid).wait, 20)


async def models(running: RunningEngine) -> list[str]:
    client = running.connect()
    try:
        return [(await client.info()).model]
    finally:
        await client.aclose()


async def test_clients_that_start_it_at_once_share_one_engine(home: StorePaths) -> None:
    started = await asyncio.gather(*(find_or_start(home, SMALL) for _ in range(3)))
    assert len({running.pid for running in started}) == 1
    if os.name == "posix":
        assert home.engine_token.stat().st_mode & 0o777 == 0o600


async def test_an_older_engine_is_replaced_and_a_newer_one_is_shared(home: StorePaths) -> None:
    first = await find_or_start(home, SMALL)
    assert first.version == __version__
    assert (await find_or_start(home, SMALL)).pid == first.pid
    # What an engine says of itself decides, so a real one of another version is made.
    assert first.pid
    psutil.Process(first.pid).kill()
    await gone(first.pid)
    older = start_with_version(home, "0.0.1")
    replaced = await find_or_start(home, SMALL)
    assert replaced.pid != older.pid
    assert older.wait(20) == 0
    assert replaced.pid
    psutil.Process(replaced.pid).kill()
    await gone(replaced.pid)
    newer = start_with_version(home, "99.0")
    assert (await find_or_start(home, SMALL)).pid == newer.pid
    newer.terminate()
    newer.wait(20)


def start_with_version(home: StorePaths, version: str) -> "subprocess.Popen[bytes]":
    code = (
        "import sys, lsp_server; lsp_server.__version__ = sys.argv.pop(1);"
        "from lsp_server.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-c",
            code,
            version,
            "engine",
            "--context",
            "512",
            "--launch",
            "test",
        ],
        env={**os.environ, "TENON_HOME": str(home.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not ((running := find(home)) and running.pid == process.pid):
        assert process.poll() is None
    return process


async def test_an_idle_engine_ends_and_leaves_nothing_behind(home: StorePaths) -> None:
    running = await find_or_start(home, EngineOptions(context=512, idle_exit=1.0))
    assert running.pid
    await gone(running.pid)
    assert not home.engine_json.exists()


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"pid":1,"port":1,"version":"1"}'])
async def test_a_leftover_record_is_not_believed(home: StorePaths, content: bytes) -> None:
    home.engine_json.write_bytes(content)
    assert find(home) is None
    running = await find_or_start(home, SMALL)
    assert await models(running) == [PLAIN]


async def test_another_program_on_the_port_is_not_mistaken_for_the_engine(
    home: StorePaths,
) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    record = EngineRecord(os.getpid(), server.sockets[0].getsockname()[1], __version__)
    lock = FileLock(home.engine_lock)
    lock.acquire()
    home.engine_json.write_bytes(msgspec.json.encode(record))
    home.engine_token.write_text("secret")
    assert await asyncio.to_thread(find, home) is None
    lock.release()
    server.close()
    await server.wait_closed()


def test_a_port_that_is_taken_is_a_clear_error(home: StorePaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [*ENGINE, "--port", port], capture_output=True, text=True, check=False, timeout=60
        )
    assert result.returncode == 1
    assert f"Port {port} cannot be used" in result.stderr
    assert "--port" in result.stderr


async def test_an_engine_for_another_editor_takes_over_with_its_own_key(
    home: StorePaths, tmp_path: Path
) -> None:
    shared = await find_or_start(home, SMALL)
    key = tmp_path / "key"
    process = subprocess.Popen(  # noqa: ASYNC220 - read in a thread below
        [*ENGINE, "--api-key-file", str(key)], stderr=subprocess.PIPE
    )
    assert process.stderr
    while b"Ctrl+C" not in (line := await asyncio.to_thread(process.stderr.readline)):
        assert line, "the engine ended"
    assert shared.pid
    await gone(shared.pid)
    found = await asyncio.to_thread(find, home)
    assert found
    assert found.pid == process.pid
    assert found.token == key.read_text()
    headers = {"authorization": f"Bearer {key.read_text()}"}
    async with httpx.AsyncClient(base_url=found.url, headers=headers) as client:
        body = {"input_prefix": "def f(x):\n    retu", "input_suffix": "\n", "n_predict": 2}
        assert (await client.post("/infill", json=body)).status_code == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert not home.engine_json.exists()


async def test_unknown_model_is_a_clear_error_and_backs_off(home: StorePaths) -> None:
    with pytest.raises(EngineStartError, match=r"qwen2\.5-coder-1\.5b.*tenon models pull"):
        await find_or_start(home, EngineOptions(model="qwen2.5-coder-1.5b"))


async def test_a_tampered_model_is_never_loaded(home: StorePaths) -> None:
    path = ModelStore(home).get(PLAIN).path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # it may be a hard link to the tests' own copy
    path.write_bytes(data)
    with pytest.raises(EngineStartError, match=f"tenon models pull {PLAIN}"):
        await find_or_start(home, SMALL)


async def test_another_model_takes_over_in_the_running_engine(home: StorePaths) -> None:
    running = await find_or_start(home, SMALL)
    ModelStore(home).import_file(plain_file(), "second", "plain")
    client = running.connect()
    request = GenerationRequest(Prompt((Text("def add(a, b):\n    return"),)), 40)
    answer = client.generate(request)
    first = await anext(answer)
    assert not await asyncio.to_thread(switch_model, home, "second", instead_of="third")
    assert await models(running) == [PLAIN]
    assert await asyncio.to_thread(switch_model, home, "second", instead_of=PLAIN)
    rest = [chunk.text async for chunk in answer]
    assert len(first.text + "".join(rest)) > 40  # it ended on the model that it began with
    assert await models(running) == ["second"]
    with pytest.raises(EngineRequestError, match="no model"):
        await client.switch_model("third")
    assert await models(running) == ["second"]
    await client.aclose()


class Supervised:
    """A supervisor with everything that it reported."""

    def __init__(self, home: StorePaths, options: EngineOptions = SMALL) -> None:
        self.seen: list[EngineStatus] = []
        self.supervisor = EngineSupervisor(options, home, self.seen.append)

    @property
    def states(self) -> list[EngineState]:
        return [status.state for status in self.seen]


async def ask(engine: HttpEngine) -> str:
    request = GenerationRequest(Prompt((Text("def add(a, b):\n    return a"),)), 200)
    return "".join([chunk.text async for chunk in engine.generate(request)])


async def test_an_engine_killed_in_mid_answer_comes_back(home: StorePaths) -> None:
    supervised = Supervised(home)
    supervisor = supervised.supervisor
    assert supervisor.engine() is None  # a keystroke never waits for the start
    engine = await supervisor.wait_ready(60)
    killed = supervisor.status.pid
    assert killed
    asking = asyncio.create_task(ask(engine))
    await asyncio.sleep(0.5)
    os.kill(killed, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    with pytest.raises(EngineError) as failure:
        await asking
    supervisor.failed(failure.value)
    engine = await supervisor.wait_ready(60)
    assert supervisor.status.pid != killed
    assert await ask(engine)
    assert supervised.states == ["starting", "ready", "stopped", "starting", "ready"]
    await supervisor.aclose()
    assert find(home)  # it is shared, so it stays


async def test_a_start_that_fails_is_tried_again_later_and_later(home: StorePaths) -> None:
    supervised = Supervised(home, EngineOptions(model="no-such-model"))
    supervisor = supervised.supervisor
    waits = []
    for _ in range(2):
        with pytest.raises(EngineError, match="no-such-model"):
            await supervisor.wait_ready(60)
        waits.append(supervisor.status.retry_in)
        assert supervisor.engine() is None
        assert supervisor.status.state is EngineState.FAILED  # not yet tried again
        await asyncio.sleep((supervisor.status.retry_in or 0) + 0.05)
    assert waits == [0.5, 1.0]
    await supervisor.aclose()


async def test_a_record_without_a_living_engine_is_never_sent_the_token(home: StorePaths) -> None:
    asked = []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"status":"ok","engine":"tenon","version":"99"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    record = EngineRecord(os.getpid(), server.sockets[0].getsockname()[1], __version__)
    home.engine_json.write_bytes(msgspec.json.encode(record))
    home.engine_token.write_text("secret")
    assert await asyncio.to_thread(find, home) is None
    assert asked == []
    server.close()
    await server.wait_closed()


async def test_other_settings_start_the_engine_again_but_not_a_users_own(home: StorePaths) -> None:
    first = await find_or_start(home, SMALL)
    renewed = await find_or_start(home, EngineOptions(context=256), renew=True)
    assert renewed.pid != first.pid
    client = renewed.connect()
    assert (await client.info()).context == 256
    await client.aclose()
    assert renewed.pid
    psutil.Process(renewed.pid).kill()
    await gone(renewed.pid)
    own = subprocess.Popen(  # noqa: ASYNC220 - it is not waited for here
        ENGINE, env={**os.environ, "TENON_HOME": str(home.root)}, stderr=subprocess.DEVNULL
    )
    while not await asyncio.to_thread(find, home):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    assert (await find_or_start(home, SMALL, renew=True)).pid == own.pid
    own.terminate()
    own.wait(20)


async def test_an_engine_restarted_on_the_same_port_is_found_again(home: StorePaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    supervised = Supervised(home)
    supervisor = supervised.supervisor
    environment = {**os.environ, "TENON_HOME": str(home.root)}
    for _ in range(2):
        own = subprocess.Popen(  # noqa: ASYNC220 - it is not waited for here
            [*ENGINE, "--port", port], env=environment, stderr=subprocess.DEVNULL
        )
        while not await asyncio.to_thread(find, home):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        engine = await supervisor.wait_ready(30)
        try:
            assert await ask(engine)
        except EngineError as error:  # the second time: the token is another
            supervisor.failed(error)
            engine = await supervisor.wait_ready(30)
            assert await ask(engine)
        assert supervisor.status.pid == own.pid
        own.terminate()
        own.wait(20)
    await supervisor.aclose()


async def test_a_bad_url_is_told_and_not_tried_in_a_loop(tmp_path: Path) -> None:
    supervised = Supervised(StorePaths(tmp_path), EngineOptions(url="http://localhost:port"))
    with pytest.raises(EngineError, match="engineUrl"):
        await supervised.supervisor.wait_ready(5)
    assert supervised.states == ["starting", "failed"]
    await supervised.supervisor.aclose()


async def test_looking_at_the_state_does_not_keep_an_engine_alive(home: StorePaths) -> None:
    running = await find_or_start(home, EngineOptions(context=512, idle_exit=1.5))
    supervised = Supervised(home, EngineOptions(context=512, idle_exit=1.5))
    await supervised.supervisor.wait_ready(30)
    assert running.pid
    while supervised.supervisor.status.state is EngineState.READY:
        await supervised.supervisor.refresh()
        await asyncio.sleep(0.3)
    assert supervised.states == ["starting", "ready", "stopped"]  # and nobody starts it
    await gone(running.pid)
    await supervised.supervisor.aclose()
