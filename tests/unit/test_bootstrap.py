import asyncio
import contextlib
import threading
from typing import ClassVar

import pytest

from lsp_server import bootstrap
from lsp_server.bootstrap import DOWNLOAD, NEVER, NOT_NOW, Bootstrap
from lsp_server.completion.engine import EngineInfo
from lsp_server.editor import Progress
from lsp_server.engine.supervisor import EngineState, EngineStatus
from lsp_server.errors import DownloadError
from lsp_server.prompt.formats import PLAIN
from lsp_server.session import Session
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.paths import StorePaths

BETTER = "qwen2.5-coder-0.5b"


class FakeSupervisor:
    made: ClassVar[list] = []

    def __init__(self, options, paths, on_change):
        self.options, self.on_change = options, on_change
        self.status = EngineStatus(EngineState.STOPPED)
        self.switched = []
        self.closed = False
        self.made.append(self)

    def engine(self):
        info = EngineInfo(STARTER, PLAIN, 2048, 1000.0, 100.0, size=98_000_000)
        self.status = EngineStatus(EngineState.READY, "", info, 1, "http://x")
        self.on_change(self.status)

    async def wait_ready(self, timeout):  # noqa: ASYNC109 - as the real one
        return None

    async def switch_model(self, name):
        self.switched.append(name)

    async def aclose(self):
        self.closed = True


class FakeStore:
    names: ClassVar[list] = []
    choice = None

    def __init__(self, paths):
        pass

    def installed(self):
        return [load_catalogue()[name] for name in self.names]

    def chosen(self):
        return FakeStore.choice

    def choose(self, name):
        FakeStore.choice = name


class FakeEditor:
    def __init__(self, answer=None):
        self.answer = answer
        self.asked = []
        self.shown = []
        self.cancelled = threading.Event()

    @contextlib.asynccontextmanager
    async def progress(self, title):
        self.shown.append(title)
        yield Progress(lambda done, total: None, self.cancelled)

    async def choose(self, message, actions):
        self.asked.append(message)
        return self.answer


@pytest.fixture
def pulled(monkeypatch):
    """What was pulled, in a world where everything but the bootstrap itself is a fake."""
    names = []
    monkeypatch.setattr(FakeSupervisor, "made", [])
    monkeypatch.setattr(FakeStore, "names", [STARTER])
    monkeypatch.setattr(FakeStore, "choice", None)
    monkeypatch.setattr(bootstrap, "EngineSupervisor", FakeSupervisor)
    monkeypatch.setattr(bootstrap, "ModelStore", FakeStore)
    monkeypatch.setattr(
        bootstrap, "pull", lambda store, entry, progress, cancel: names.append(entry.name)
    )
    monkeypatch.setattr(bootstrap, "recommendation", lambda store, info: load_catalogue()[BETTER])
    return names


async def run(tmp_path, editor=None, raw=None):
    session = Session(lambda _: None)
    session.configure(raw)
    starter = Bootstrap(session, editor or FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await starter._task
    return session, starter


async def test_a_first_run_fetches_the_starter_and_shows_it(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "names", [])
    editor = FakeEditor()
    session, _ = await run(tmp_path, editor)
    assert pulled == [STARTER]
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

    monkeypatch.setattr(bootstrap, "pull", pull)
    session = Session(lambda status: states.append((status.state, status.message)))
    starter = Bootstrap(session, FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await starter._task
    assert ("error", "no index in reach; connect and try again") in states
    assert len(attempts) == 2
    assert session.status().state == "ready"


async def test_a_better_model_that_is_accepted_takes_over(tmp_path, pulled):
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor)
    entry = load_catalogue()[BETTER]
    assert f"{entry.size / 1e9:.1f} GB" in editor.asked[0]
    assert entry.license in editor.asked[0]
    assert pulled == [BETTER]
    assert FakeStore.choice == BETTER
    assert FakeSupervisor.made[0].switched == [BETTER]


@pytest.mark.parametrize("answer", [NOT_NOW, NEVER])
async def test_a_refused_offer_is_not_repeated(tmp_path, pulled, answer):
    await run(tmp_path, FakeEditor(answer))
    again = FakeEditor(DOWNLOAD)
    await run(tmp_path, again)
    assert again.asked == []
    assert pulled == []


async def test_an_offer_that_was_only_closed_comes_once_a_session(tmp_path, pulled):
    editor = FakeEditor(None)
    _, starter = await run(tmp_path, editor)
    starter.start()
    await starter._task
    assert len(editor.asked) == 1


@pytest.mark.parametrize("raw", [{"offerModels": False}, {"model": STARTER}])
async def test_no_offer_where_none_is_wanted(tmp_path, pulled, raw):
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor, raw)
    assert editor.asked == []


async def test_no_offer_to_who_chose_a_model(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "choice", STARTER)
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor)
    assert editor.asked == []


async def test_another_model_is_switched_to_in_the_running_engine(tmp_path, pulled):
    session, starter = await run(tmp_path)
    old = session.settings
    session.configure({"model": BETTER})
    starter.reconfigure(old)
    await starter._task
    [supervisor] = FakeSupervisor.made
    assert supervisor.switched == [BETTER]


async def test_other_engine_settings_make_another_supervisor(tmp_path, pulled):
    session, starter = await run(tmp_path)
    old = session.settings
    session.configure({"threads": 3})
    starter.reconfigure(old)
    await starter._task
    first, second = FakeSupervisor.made
    assert first.closed
    assert (second.options.threads, second.closed) == (3, False)


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

    monkeypatch.setattr(bootstrap, "pull", pull)
    starter = Bootstrap(Session(lambda _: None), FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await asyncio.to_thread(begun.wait, 10)
    await starter.aclose()
    assert await asyncio.to_thread(stopped.wait, 10)
