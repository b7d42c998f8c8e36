"""The status says what serves now, whatever happened to the engine between two keystrokes."""

import asyncio
import os
import signal
import subprocess

import pytest
from lsprotocol import types

from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.editors import TENON, editor, end_engine, hostile_workspace, installed_home
from tests.starter import plain_file

FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"
WATCH_SECONDS = 40.0


@pytest.fixture
def home(tmp_path):
    root = installed_home(tmp_path / "home")
    yield root
    end_engine(root)


@pytest.fixture
async def vscode(home, tmp_path):
    async with editor(home, hostile_workspace(tmp_path / "repository")) as session:
        yield session


def kill(pid):
    os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


async def test_an_engine_that_was_killed_is_told_at_once_and_started_by_a_keystroke(vscode):
    pid = (await vscode.ready()).engine.pid
    kill(pid)
    status = await vscode.status()
    assert (status.state, status.engine.pid, status.model) == ("stopped", None, "")
    assert "next keystroke" in status.message
    await asyncio.sleep(1)
    assert (await vscode.status()).state == "stopped"
    uri = vscode.open(FUNCTION)
    assert await vscode.complete(uri, 5, 12) == []
    assert await vscode.reason() == "engine_starting"
    assert (await vscode.ready()).engine.pid != pid


async def test_an_editor_that_asks_nothing_hears_that_the_engine_ended(vscode):
    kill((await vscode.ready()).engine.pid)
    async with asyncio.timeout(WATCH_SECONDS):
        while vscode.statuses[-1].state != "stopped":  # noqa: ASYNC110 - told, not asked
            await asyncio.sleep(0.1)


async def test_a_model_that_somebody_else_switched_to_is_the_one_in_the_status(vscode, home):
    assert (await vscode.ready()).model == STARTER
    ModelStore(StorePaths(home)).import_file(plain_file(), "other")
    environment = {**os.environ, "TENON_HOME": str(home)}
    use = [TENON, "models", "use", "other"]
    await asyncio.to_thread(subprocess.run, use, env=environment, check=True)
    assert (await vscode.status()).model == "other"
    assert vscode.statuses[-1].model == "other"


async def test_a_restart_ends_the_engine_and_starts_another(vscode):
    pid = (await vscode.ready()).engine.pid
    restart = types.ExecuteCommandParams("tenon.restartEngine")
    await vscode.client.workspace_execute_command_async(restart)
    status = await vscode.until(lambda status: status.engine.pid not in {None, pid})
    assert status.state == "ready"
