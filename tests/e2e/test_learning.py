"""Trainers, adapters and models over the protocol: the real server, watcher and engine."""

import asyncio
import json

import psutil
import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.editors import editor
from tests.git_repositories import repository
from tests.published import published
from tests.train_extra import torch  # noqa: F401 - the watcher needs what training needs

INVALID, FAILED = -32602, -32803
FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


@pytest.fixture
def project(tmp_path):
    made = repository(tmp_path / "shelf")
    made.commit({"a.py": FUNCTION})
    return made.root


@pytest.fixture
async def vscode(home, project):
    async with editor(home, project, options={"trainingIdleSeconds": 600}) as session:
        yield session


async def command(session, name, *arguments):
    params = types.ExecuteCommandParams(name, list(arguments))
    async with asyncio.timeout(60):
        return await session.client.workspace_execute_command_async(params)


async def refused(session, name, *arguments):
    with pytest.raises(JsonRpcException) as caught:
        await command(session, name, *arguments)
    assert "Traceback" not in caught.value.message
    assert not caught.value.data
    return caught.value.code, caught.value.message


def watched(status):
    return status.trainer is not None and status.trainer.state in {"idle", "waiting"}


def _waits_elsewhere(status):
    return status.trainer is not None and "another editor" in "".join(status.trainer.waitingFor)


async def watcher_of(home, project):
    store = RepositoryStore.of(StorePaths(home), project)
    async with asyncio.timeout(60):
        while True:
            try:
                memory = json.loads((store.folder / "trainer.json").read_text())
                if memory.get("watcher"):
                    return psutil.Process(memory["watcher"]["pid"])
            except (OSError, psutil.Error):
                pass
            await asyncio.sleep(0.1)


async def test_a_repository_that_is_open_is_watched_until_the_editor_goes(home, project):
    async with editor(home, project) as session:
        status = await session.until(watched)
        assert status.trainer.root == str(project)
        watcher = await watcher_of(home, project)
        assert watcher.is_running()
    psutil.wait_procs([watcher], timeout=20)
    assert not watcher.is_running()


async def test_a_watcher_that_is_killed_is_there_again(vscode, home, project):
    await vscode.until(watched)
    first = await watcher_of(home, project)
    first.kill()
    await vscode.until(lambda status: status.trainer.state == "error")
    await vscode.until(watched)
    assert (await watcher_of(home, project)).pid != first.pid


async def test_pausing_is_remembered_and_undone(vscode, home, project):
    await vscode.until(watched)
    await command(vscode, "tenon.pauseTraining")
    await vscode.until(lambda status: status.trainer.state == "paused")
    assert "paused" in [status.trainer.state for status in vscode.statuses if status.trainer]
    (await watcher_of(home, project)).kill()
    await vscode.until(lambda status: status.trainer.state == "error")
    await vscode.until(lambda status: status.trainer.state == "paused")
    await command(vscode, "tenon.resumeTraining", project.as_uri())
    await vscode.until(watched)


async def test_a_second_window_waits_for_the_first(vscode, home, project):
    await vscode.until(watched)
    async with editor(home, project) as second:
        status = await second.until(_waits_elsewhere)
        assert status.trainer.waitingFor == ["another editor window watches this repository"]
        code, message = await refused(second, "tenon.startTraining")
        assert code == FAILED
        assert message.startswith("Another editor window")


async def test_switched_off_there_is_no_watcher(home, project):
    async with editor(home, project, options={"training": "off"}) as session:
        status = await session.until(lambda status: status.trainer)
        assert (status.trainer.state, status.trainer.message) == (
            "off",
            "Training is switched off by `tenon.training`.",
        )
        code, message = await refused(session, "tenon.startTraining")
        assert (code, message) == (FAILED, status.trainer.message)


@pytest.mark.parametrize(
    ("name", "arguments", "code", "said"),
    [
        ("tenon.startTraining", [7], INVALID, "the uri: Expected `str`, got `int`"),
        ("tenon.startTraining", ["", "", ""], INVALID, "takes 1 arguments, not 3"),
        ("tenon.pauseTraining", ["file:///elsewhere/x"], INVALID, "no folder that is open"),
        ("tenon.setupTraining", ["now"], INVALID, "takes 0 arguments"),
        ("tenon.activateAdapter", [], INVALID, "the adapter's id is missing"),
        ("tenon.activateAdapter", ["../../x"], FAILED, "no adapter '../../x'"),
        ("tenon.rollbackAdapter", [None, None], INVALID, "takes 1 arguments"),
        ("tenon.rollbackAdapter", [], FAILED, "nothing served before"),
        ("tenon.chooseModel", [""], INVALID, "the model's name is empty"),
        ("tenon.chooseModel", ["qwen-nothing"], FAILED, "there is no model 'qwen-nothing'"),
        ("tenon.completionAccepted", [{"a": 1}], INVALID, "the suggestion's id"),
    ],
)
async def test_wrong_arguments_are_clear_errors(vscode, name, arguments, code, said):
    await vscode.until(watched)
    found, message = await refused(vscode, name, *arguments)
    assert found == code
    assert said in message


async def test_adapters_are_listed_switched_at_once_and_rolled_back(vscode, home, project):
    await vscode.ready()
    first, second = (published(home, project, seed)[1] for seed in (1, 2))
    uri = vscode.open(FUNCTION)
    for wanted in (first.id, second.id, ""):
        await command(vscode, "tenon.activateAdapter", wanted, project.as_uri())
        assert (await vscode.status()).adapter == (wanted or None)
        await vscode.complete(uri, 5, 12)
        assert (await vscode.status()).recent[-1].adapter == (wanted or None)
    assert await command(vscode, "tenon.rollbackAdapter") == second.id
    assert (await vscode.status()).adapter == second.id
    listed = await vscode.client.protocol.send_request_async("tenon/adapters", {"uri": ""})
    assert [(line.id, line.active) for line in listed.adapters] == [
        (second.id, True),
        (first.id, False),
    ]
    with pytest.raises(JsonRpcException, match="the parameters"):
        await vscode.client.protocol.send_request_async("tenon/adapters", {"uri": 1})


async def test_models_are_listed_and_chosen(vscode, home):
    await vscode.ready()
    models = await vscode.client.protocol.send_request_async("tenon/models")
    [serving] = [model for model in models if model["chosen"]]
    assert (serving["name"], serving["installed"], serving["trainable"]) == (STARTER, True, True)
    assert len(models) > 5
    await command(vscode, "tenon.chooseModel", STARTER)
    assert ModelStore(StorePaths(home)).chosen() == STARTER


async def test_the_base_answers_its_share(home, project):
    _, first = published(home, project, 1)
    async with editor(home, project, options={"baseShare": 0.5}) as session:
        await session.ready()
        await command(session, "tenon.activateAdapter", first.id)
        uri = session.open("x = 1\n" * 24 + "y = ")
        for line in range(24):
            await session.complete(uri, line, 4)
        answered = [outcome.adapter for outcome in (await session.status()).recent]
        assert {first.id, None} == set(answered)


async def test_a_folder_that_is_opened_later_has_a_trainer_and_one_that_is_closed_none(
    vscode, home, project, tmp_path
):
    await vscode.until(watched)
    other = repository(tmp_path / "other")
    other.commit({"b.py": FUNCTION})
    here, there = (types.WorkspaceFolder(at.as_uri(), at.name) for at in (project, other.root))
    change = types.WorkspaceFoldersChangeEvent(added=[there], removed=[here])
    vscode.client.workspace_did_change_workspace_folders(
        types.DidChangeWorkspaceFoldersParams(change)
    )
    await vscode.until(lambda status: watched(status) and status.trainer.root == str(other.root))
    code, _ = await refused(vscode, "tenon.startTraining", project.as_uri())
    assert code == INVALID
