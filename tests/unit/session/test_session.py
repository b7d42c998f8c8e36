import asyncio
import dataclasses

import pytest
from lsprotocol import types

from lsp_server.adapter_loading import LoadedAdapter
from lsp_server.completion import idle
from lsp_server.completion.reasons import Reason
from lsp_server.edits import Request, is_larger
from lsp_server.engine.supervisor import EngineState, EngineStatus
from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.session.keys import Edit
from lsp_server.session.session import Session
from tests.fakes import QWEN_INFO, FakeEngine


class FakeEngines:
    def __init__(self, engine, state=EngineState.READY, reason=""):
        self._engine = engine
        self.failures = []
        self.refreshed = asyncio.Event()
        self.on_refresh = None
        info = QWEN_INFO if state is EngineState.READY else None
        self.status = EngineStatus(state, reason, info, pid=1, url="http://x")

    def engine(self):
        return self._engine

    def failed(self, error):
        self.failures.append(error)

    async def refresh(self):
        self.refreshed.set()
        if self.on_refresh is not None:
            await self.on_refresh()


def session_with(engine, state=EngineState.READY, reason=""):
    session = Session(lambda _: None)
    session.engines = FakeEngines(engine, state, reason)
    session.setting_up(None)
    return session


def request(document, **options):
    text, line, character = document, 0, 0
    if document is not None:
        before, after = document.split("‸")
        text = before + after
        line, character = before.count("\n"), len(before.rpartition("\n")[2])
    return Request("file:///a.py", text, types.Position(line, character), **options)


async def test_an_answer_becomes_an_edit_at_the_cursor():
    suggestion, completion = await session_with(FakeEngine("1\n")).complete(request("x = ‸\n"))
    here = types.Position(0, 4)
    assert (suggestion.text, suggestion.range) == ("1", types.Range(here, here))
    assert completion.reason is Reason.SHOWN


async def test_a_bracket_that_the_answer_passes_is_replaced():
    suggestion, _ = await session_with(FakeEngine("a):")).complete(request("def f(‸)\n"))
    assert suggestion.text == "a):"
    assert suggestion.range == types.Range(types.Position(0, 6), types.Position(0, 7))


async def test_line_ends_follow_the_document():
    engine = FakeEngine("\n    a()\n    b()\n")
    suggestion, _ = await session_with(engine).complete(request("def f():‸\r\n"))
    assert suggestion.text == "\r\n    a()\r\n    b()"
    assert "\r" not in engine.prompt_text()


async def test_a_column_past_the_end_of_the_line_is_corrected():
    engine = FakeEngine("1")
    far = Request("file:///a.py", "x = \n", types.Position(0, 70))
    suggestion, _ = await session_with(engine).complete(far)
    assert suggestion.range.start == types.Position(0, 4)


async def test_the_selected_item_is_completed_as_if_it_were_accepted():
    engine = FakeEngine(".join(a)\n")
    replaced = types.Range(types.Position(0, 3), types.Position(0, 5))
    selected = types.SelectedCompletionInfo(replaced, "path")
    suggestion, _ = await session_with(engine).complete(request("os.pa‸\n", selected=selected))
    assert engine.prompt_text() == "os.path|\n"
    assert (suggestion.text, suggestion.range) == ("path.join(a)", replaced)


async def test_the_path_is_the_repositorys():
    engine = FakeEngine("1")
    session = session_with(engine)
    placed = request("x = ‸", path="/home/app/a.py", roots=("/home",))
    assert (await session.complete(placed))[1].reason is Reason.SHOWN


@pytest.mark.parametrize(
    ("document", "options", "settings", "reason"),
    [
        ("x = ‸", {}, {"enabled": False}, Reason.DISABLED),
        ("x ‸", {"language": "markdown"}, {"disabledLanguages": ["markdown"]}, Reason.DISABLED),
        ("x = 12345‸", {}, {"maxFileBytes": 5}, Reason.TOO_LARGE),
        ("\0x‸", {}, {}, Reason.BINARY),
        (None, {}, {}, Reason.UNKNOWN_DOCUMENT),
    ],
)
async def test_requests_that_are_refused(document, options, settings, reason):
    engine = FakeEngine("1")
    session = session_with(engine)
    session.configure(settings)
    suggestion, completion = await session.complete(request(document, **options))
    assert (suggestion, completion.reason) == (None, reason)
    assert engine.requests == []
    assert session.status().recent[-1].reason == reason


async def test_a_failed_request_is_told_to_the_supervisor_and_to_the_status():
    session = session_with(FakeEngine(error=EngineUnavailableError("it is gone")))
    _, completion = await session.complete(request("x = ‸"))
    assert session.engines.failures == [completion.error]
    assert "it is gone" in session.status().last_error


async def test_a_trouble_is_over_with_the_next_answer():
    engine = FakeEngine(error=EngineUnavailableError("it is gone"))
    session = session_with(engine)
    await session.complete(request("x = ‸"))
    assert session.status().last_error
    engine.error = None
    await session.complete(request("y = ‸"))  # nothing to show proves nothing
    assert "it is gone" in session.status().last_error
    engine.answer = "1\n"
    await session.complete(request("z = ‸"))
    assert session.status().last_error == ""


async def test_a_trouble_is_over_when_the_engine_is_ready_again():
    told = []
    session = Session(told.append)
    session.engines = engines = FakeEngines(FakeEngine())
    session.setting_up(None)
    session.engine_changed()
    session.trouble("the engine failed")
    session.engine_changed()  # it is measured anew, and was ready all the time
    assert session.status().last_error == "the engine failed"
    ready = engines.status
    engines.status = EngineStatus(EngineState.STARTING)
    session.engine_changed()
    engines.status = ready
    session.engine_changed()
    assert (told[-1].state, told[-1].last_error) == ("ready", "")


async def test_a_set_up_that_is_done_has_no_trouble_any_more():
    session = Session(lambda _: None)
    session.setting_up("error", "no disk")
    assert session.status().last_error == "no disk"
    session.setting_up(None)
    assert session.status().last_error == ""


async def test_what_is_wrong_with_the_adapter_is_told_for_as_long_as_it_is():
    session = session_with(FakeEngine("1\n"))
    session.adapters = adapters = FakeAdapters({})
    adapters.trouble = "the adapter is damaged"
    await session.complete(request("x = ‸"))
    assert session.status().last_error == "the adapter is damaged"
    adapters.trouble = ""
    assert session.status().last_error == ""


async def test_a_model_that_somebody_else_switched_to_is_noticed():
    engine = FakeEngine("1", info=dataclasses.replace(QWEN_INFO, model="other"))
    session = session_with(engine)
    await session.complete(request("x = ‸"))
    async with asyncio.timeout(5):
        await session.engines.refreshed.wait()


async def test_a_fault_of_our_own_is_a_reason_and_never_an_error(caplog):
    session = session_with(FakeEngine(error=ValueError("odd")))
    suggestion, completion = await session.complete(request("x = ‸"))
    assert (suggestion, completion.reason) == (None, Reason.FAILED)
    assert session.status().recent[-1].reason == "failed"
    assert "ValueError" in session.status().last_error
    assert "Traceback" in caplog.text


async def test_a_withdrawn_request_is_cancelled_and_nothing_else_is():
    engine = FakeEngine("1")
    engine.blocked.clear()
    session = session_with(engine)
    task = asyncio.create_task(session.complete(request("x = ‸")))
    await engine.streaming.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert session.status().recent[-1].reason == "cancelled"


async def test_a_refresh_waits_for_nobody_long(monkeypatch):
    monkeypatch.setattr("lsp_server.session.session.REFRESH_SECONDS", 0.01)
    session = session_with(FakeEngine())
    session.engines.on_refresh = asyncio.Event().wait
    async with asyncio.timeout(5):
        await session.refresh()
    assert session.status().state == "ready"


async def test_without_an_engine_there_is_nothing_to_refresh():
    await Session(lambda _: None).refresh()


async def test_an_engine_that_ended_between_keystrokes_is_told_and_not_restarted(monkeypatch):
    monkeypatch.setattr("lsp_server.session.session.WATCH_SECONDS", 0.0)
    told = asyncio.Queue()
    session = Session(told.put_nowait)
    session.engines = engines = FakeEngines(FakeEngine())
    session.setting_up(None)
    assert (await told.get()).state == "ready"
    looks = []

    async def ended():
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("a look that fails is not the last one")
        engines.status = EngineStatus(EngineState.STOPPED)
        session.publish()

    engines.on_refresh = ended
    monkeypatch.setattr(engines, "engine", lambda: pytest.fail("only a keystroke starts it"))
    watching = asyncio.create_task(session.watch())
    async with asyncio.timeout(5):
        status = await told.get()
    watching.cancel()
    assert (status.state, status.engine.pid) == ("stopped", None)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (EngineState.STARTING, Reason.ENGINE_STARTING),
        (EngineState.STOPPED, Reason.ENGINE_STARTING),
        (EngineState.FAILED, Reason.ENGINE_UNAVAILABLE),
    ],
)
async def test_without_an_engine_the_reason_says_why(state, reason):
    session = session_with(None, state, "broken")
    assert (await session.complete(request("x = ‸")))[1].reason is reason


async def test_before_the_set_up_is_done_there_is_a_reason_too():
    session = Session(lambda _: None)
    assert (await session.complete(request("x = ‸")))[1].reason is Reason.ENGINE_STARTING
    session.setting_up("error", "no disk")
    assert (await session.complete(request("x = ‸")))[1].reason is Reason.ENGINE_UNAVAILABLE
    assert (session.status().state, session.status().message) == ("error", "no disk")


async def test_the_editor_hears_of_changes_only():
    heard = []
    session = Session(heard.append)
    session.setting_up("downloading", "on its way")
    session.setting_up("downloading", "on its way")
    session.engines = FakeEngines(FakeEngine("1"))
    session.setting_up(None)
    await session.complete(request("x = ‸"))
    session.publish()
    session.configure({"enabled": False})
    assert [status.state for status in heard] == ["downloading", "ready", "disabled"]


async def test_an_acceptance_counts_if_it_is_of_ours():
    session = session_with(FakeEngine("1"))
    suggestion, _ = await session.complete(request("x = ‸"))
    assert [session.accepted(key) for key in ("other", suggestion.id, suggestion.id)] == [
        False,
        True,
        False,
    ]
    assert session.status().accepted == 1


def test_size_is_counted_in_bytes():
    assert not is_larger("é" * 10, 20)
    assert is_larger("é" * 10, 19)
    assert is_larger("a" * 20, 19)
    assert not is_larger("\ud83d", 3)


class FakeAdapters:
    """One folder has an adapter."""

    serving = None
    trouble = ""

    def __init__(self, adapters):
        self.adapters = adapters
        self.forgotten, self.followed = [], []

    def adapter_of(self, root, engine):
        return LoadedAdapter(self.adapters[root], 1.0) if root in self.adapters else None

    def lost(self, root, engine):
        self.forgotten.append(root)

    async def follow(self, engine, *, anew=False):
        self.followed.append(engine)


async def test_the_adapter_of_the_documents_folder_answers():
    engine = FakeEngine("1")
    session = session_with(engine)
    session.adapters = adapters = FakeAdapters({"/home/app": "learnt"})
    roots = ("/home", "/home/app")
    for path in ("/home/app/a.py", "/home/b.py", "/elsewhere/c.py", None):
        await session.complete(request("x = ‸", path=path, roots=roots))
    assert [entry.adapter for entry in engine.requests] == ["learnt", None]
    told = [outcome.adapter for outcome in session.status().recent]
    assert told == ["learnt", None, None, None]  # the last two are the base's, remembered
    assert adapters.forgotten == []


async def test_an_adapter_that_a_new_engine_does_not_know_is_looked_up_again():
    class Restarted(FakeEngine):
        async def generate(self, asked):
            if asked.adapter is not None:
                raise EngineRequestError("no such model", status=404, param="model")
            async for chunk in super().generate(asked):
                yield chunk

    session = session_with(Restarted("1"))
    session.adapters = adapters = FakeAdapters({"/home": "learnt"})
    placed = request("x = ‸", path="/home/a.py", roots=("/home",))
    suggestion, completion = await session.complete(placed)
    assert (suggestion.text, completion.adapter) == ("1", None)
    assert adapters.forgotten == ["/home"]


async def test_what_is_refused_does_not_speak_against_an_adapter():
    session = session_with(FakeEngine("1"))
    session.adapters = adapters = FakeAdapters({"/home": "learnt"})
    _, completion = await session.complete(request("re‸x", path="/home/a.py", roots=("/home",)))
    assert completion.reason is Reason.MID_WORD
    assert adapters.forgotten == []


async def test_an_engine_that_is_ready_gets_its_adapters_before_a_keystroke():
    session = session_with(FakeEngine("1"))
    session.adapters = adapters = FakeAdapters({})
    session.engine_changed()
    await asyncio.gather(*session._tasks)
    assert adapters.followed == [session.engines.engine()]
    session.engines.status = EngineStatus(EngineState.STOPPED)
    session.engine_changed()
    await asyncio.gather(*session._tasks)
    assert len(adapters.followed) == 1  # for one that is stopped, nothing is started


async def test_the_status_names_the_adapter_while_something_serves():
    session = session_with(FakeEngine("1"))
    session.adapters = FakeAdapters({})
    session.adapters.serving = "learnt"
    assert session.status().adapter == "learnt"
    session.engines.status = EngineStatus(EngineState.STOPPED)
    assert session.status().adapter is None


class FakeIndexes:
    def __init__(self):
        self.asked, self.noted = [], []

    def index_of(self, root):
        self.asked.append(root)

    def saved(self, root, path):
        self.noted.append((root, path))


async def test_the_index_is_that_of_the_innermost_folder_and_hears_of_saves():
    session = session_with(FakeEngine("1"))
    session.indexes = indexes = FakeIndexes()
    roots = ("/home", "/home/app", "/other")
    await session.complete(request("x = ‸", path="/home/app/a.py", roots=roots))
    await session.complete(request("x = ‸", path="/elsewhere/a.py", roots=roots))
    session.saved("/home/deep/b.py", roots)
    session.saved(None, roots)
    assert (indexes.asked, indexes.noted) == (["/home/app"], [("/home", "deep/b.py")])


async def test_a_cursor_that_rests_is_read_in_the_background(monkeypatch):
    monkeypatch.setattr(idle, "PAUSE_SECONDS", 0.0)
    engine = FakeEngine("1")
    session = session_with(engine)
    session.edited("file:///a.py", "x", None, types.PositionEncodingKind.Utf16)
    for document in ("\0x‸", None, "x = ‸"):
        session.rests(request(document))
    await asyncio.sleep(0.01)
    assert [entry.max_tokens for entry in engine.requests] == [1]
    session.engines = FakeEngines(engine, EngineState.STOPPED)
    session.rests(request("y = ‸"))  # starts none


async def test_the_last_edit_decides_what_is_asked():
    engine = FakeEngine("value + 1\n")
    session = session_with(engine)
    removed = types.Range(types.Position(0, 4), types.Position(0, 5))
    change = types.TextDocumentContentChangePartial(removed, "")
    utf16 = types.PositionEncodingKind.Utf16
    session.edited("file:///a.py", "x = \n", Edit.of([change], utf16), utf16)
    _, completion = await session.complete(request("x = ‸\n"))
    assert completion.reason is Reason.DELETING
    _, completion = await session.complete(request("x = ‸\n", automatic=False))
    assert completion.reason is Reason.SHOWN


async def test_behind_several_lines_that_were_accepted_whole_a_block_is_asked_for():
    engine = FakeEngine("\n    a = 1\n    b = 2\n")
    session = session_with(engine)
    suggestion, _ = await session.complete(request("def f():‸\n"))
    here = types.Position(0, 8)
    change = types.TextDocumentContentChangePartial(types.Range(here, here), suggestion.text)
    utf16 = types.PositionEncodingKind.Utf16
    text = "def f():\n    a = 1\n    b = 2"
    # As VS Code does: the edit, the item's command, and then the next request.
    session.edited("file:///a.py", text + "\n", Edit.of([change], utf16), utf16)
    assert session.accepted(suggestion.id)
    engine.answer = "\n    c = 3\n    return c\n"
    following, _ = await session.complete(request(text + "‸\n"))
    assert following.text == "\n    c = 3\n    return c"
