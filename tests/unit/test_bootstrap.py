import asyncio
import threading

import pytest

from lsp_server import bootstrap, model_choice
from lsp_server.bootstrap import DOWNLOAD, Bootstrap
from lsp_server.errors import DownloadCancelledError, DownloadError
from lsp_server.session.session import Session
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.download import stages
from lsp_server.store.paths import StorePaths
from tests.bootstraps import BETTER, FakeEditor, FakeStore, FakeSupervisor, pretend, run


@pytest.fixture
def pulled(monkeypatch):
    return pretend(monkeypatch)


async def test_a_first_run_fetches_the_starter_and_shows_it(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "names", [])
    editor = FakeEditor()
    session, _ = await run(tmp_path, editor)
    brought = stages(FakeStore(None), load_catalogue()[STARTER])
    assert pulled == [entry.name for entry in brought]
    assert editor.shown == [f"Tenon: {entry.arriving}" for entry in brought]
    assert "SmolLM2" in editor.shown[0]
    assert session.status().state == "ready"


@pytest.mark.parametrize("raw", [{"model": BETTER}, {"engineUrl": "http://team:8000"}])
async def test_whoever_named_a_model_or_an_engine_needs_no_starter(
    tmp_path, pulled, monkeypatch, raw
):
    monkeypatch.setattr(FakeStore, "names", [])
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor, raw)
    assert pulled == []
    assert editor.asked == []
    [supervisor] = FakeSupervisor.made
    assert (supervisor.options.model or supervisor.options.url) in raw.values()


async def test_a_starter_that_cannot_be_fetched_is_tried_again(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "names", [])
    monkeypatch.setattr(bootstrap, "FIRST_RETRY_SECONDS", 0.0)
    states, attempts = [], []

    def pull(store, entry, progress, cancel):
        attempts.append(entry.name)
        if len(attempts) == 1:
            raise DownloadError("no index in reach; connect and try again")

    monkeypatch.setattr(model_choice, "pull", pull)
    session = Session(lambda status: states.append((status.state, status.message)))
    starter = Bootstrap(session, FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await starter._task
    assert ("error", "no index in reach; connect and try again") in states
    assert attempts[0] == attempts[1]
    assert attempts[-1] == STARTER
    assert session.status().state == "ready"


async def test_a_stopped_download_waits_until_it_is_asked_for(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "names", [])
    monkeypatch.setattr(bootstrap, "FIRST_RETRY_SECONDS", 0.0)
    attempts = []

    def pull(store, entry, progress, cancel):
        attempts.append(entry.name)
        if len(attempts) == 1:
            raise DownloadCancelledError("the download was cancelled")

    monkeypatch.setattr(model_choice, "pull", pull)
    session, starter = await run(tmp_path)
    assert len(attempts) == 1
    assert session.status().state == "stopped"
    assert "tenon.restartEngine" in session.status().message
    starter.start(renew=True)
    await starter._task
    assert attempts[0] == attempts[1]
    assert (attempts[-1], session.status().state) == (STARTER, "ready")


async def test_what_nobody_expected_is_logged_and_told(tmp_path, pulled, monkeypatch, caplog):
    monkeypatch.setattr(FakeStore, "names", [])

    def pull(*_):
        raise ValueError("odd")

    monkeypatch.setattr(model_choice, "pull", pull)
    session, _ = await run(tmp_path)
    assert session.status().state == "error"
    assert "odd" in session.status().message
    assert "Traceback" in caplog.text


async def test_a_key_file_that_cannot_be_read_is_named(tmp_path, pulled):
    session = Session(lambda _: None)
    session.configure({"engineUrl": "http://x", "engineApiKeyFile": str(tmp_path / "none")})
    starter = Bootstrap(session, FakeEditor(), StorePaths(tmp_path))
    starter.start()
    async with asyncio.timeout(10):
        while session.status().state != "error":  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    assert "tenon.engineApiKeyFile" in session.status().message
    await starter.aclose()


async def test_closing_stops_a_download(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "names", [])
    begun, stopped = threading.Event(), threading.Event()

    def pull(store, entry, progress, cancel):
        begun.set()
        if cancel.wait(10):
            stopped.set()

    monkeypatch.setattr(model_choice, "pull", pull)
    starter = Bootstrap(Session(lambda _: None), FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await asyncio.to_thread(begun.wait, 10)
    await starter.aclose()
    assert await asyncio.to_thread(stopped.wait, 10)


async def test_an_older_packages_starter_serves_until_the_new_one_is_made(
    tmp_path, pulled, monkeypatch
):
    """The engine is ready before anything is made, and switches to what was made."""
    monkeypatch.setattr(bootstrap, "starter_is_due", lambda store, named: True)
    serving = []

    def pull(store, entry, progress, cancel):
        [supervisor] = FakeSupervisor.made
        serving.append((entry.name, supervisor.status.state, list(supervisor.switched)))

    monkeypatch.setattr(model_choice, "pull", pull)
    session, _ = await run(tmp_path, raw={"offerModels": False})
    *_, (name, state, switched) = serving
    assert (name, state, switched) == (STARTER, "ready", [])
    assert FakeSupervisor.made[0].switched == [STARTER]
    assert session.status().state == "ready"


async def test_a_starter_that_cannot_be_renewed_goes_on_serving(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(bootstrap, "starter_is_due", lambda store, named: True)

    def pull(*_):
        raise DownloadError("the disk is full")

    monkeypatch.setattr(model_choice, "pull", pull)
    session, _ = await run(tmp_path, raw={"offerModels": False})
    assert FakeSupervisor.made[0].switched == []
    assert session.status().state == "ready"
    assert "could not be renewed: the disk is full" in session.status().last_error
