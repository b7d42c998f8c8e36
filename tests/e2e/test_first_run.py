"""The very first start, end to end: an empty home, a real package index, a real server."""

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pytest_lsp import client_capabilities

from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.editors import editor, end_engine, hostile_workspace

FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


@pytest.fixture
def home(tmp_path):
    root = tmp_path / "home with ünicode"
    yield root
    end_engine(root)


def showing_progress():
    capabilities = client_capabilities("visual-studio-code")
    capabilities.window = types.WindowClientCapabilities(work_done_progress=True)
    return capabilities


async def test_the_starter_arrives_with_progress_and_then_completions_come(home, tmp_path):
    workspace = hostile_workspace(tmp_path / "repository")
    async with editor(home, workspace, capabilities=showing_progress()) as session:
        uri = session.open(FUNCTION)
        assert await session.complete(uri, 5, 12) == []
        assert await session.reason() == "engine_starting"
        await session.ready()
        [begin, *reports, end] = next(iter(session.client.progress_reports.values()))
        assert isinstance(begin, types.WorkDoneProgressBegin)
        assert "SmolLM2" in begin.title
        percentages = [report.percentage for report in reports]
        assert percentages
        assert percentages == sorted(percentages)
        assert percentages[-1] == 100
        assert (type(end), end.message) == (types.WorkDoneProgressEnd, "done")
        assert "downloading" in [status.state for status in session.statuses]
        [item] = await session.complete(uri, 5, 12)
        assert item.insert_text.strip()
        assert (await session.status()).model == STARTER
        assert session.client.messages == []


async def test_an_editor_that_refuses_the_progress_gets_its_model_all_the_same(
    home, tmp_path, monkeypatch
):
    workspace = hostile_workspace(tmp_path / "repository")
    async with editor(home, workspace, capabilities=showing_progress()) as session:

        def refuse(_params):
            raise JsonRpcInvalidParams("no progress here")

        create = types.WINDOW_WORK_DONE_PROGRESS_CREATE
        monkeypatch.setitem(session.client.protocol.fm.features, create, refuse)
        await session.ready()
        assert session.client.progress_reports == {}
        assert ModelStore(StorePaths(home)).find(STARTER)


async def test_a_download_that_the_user_stopped_goes_on_when_asked_to(home, tmp_path):
    workspace = hostile_workspace(tmp_path / "repository")
    async with editor(home, workspace, capabilities=showing_progress()) as session:
        begun = session.client.progress_reports
        await session.until(lambda _: any(begun.values()))
        cancel = types.WorkDoneProgressCancelParams(next(iter(begun)))
        session.client.window_work_done_progress_cancel(cancel)
        status = await session.until(lambda status: status.state == "stopped", 30)
        assert "tenon.restartEngine" in status.message
        restart = types.ExecuteCommandParams("tenon.restartEngine")
        await session.client.workspace_execute_command_async(restart)
        await session.ready()
