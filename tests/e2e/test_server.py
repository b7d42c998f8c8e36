"""The protocol, end to end: nothing here is a fake but the editor."""

import asyncio
import json
import os
import signal
import socket
import subprocess

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import client_capabilities, make_test_lsp_client

from lsp_server.store.catalogue import STARTER
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.editors import TENON, editor, end_engine, hostile_workspace, installed_home
from tests.published import published


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One home, and so one engine, for the tests of this file."""
    root = installed_home(tmp_path_factory.mktemp("home with ünicode"))
    yield root
    end_engine(root)


@pytest.fixture
def workspace(tmp_path):
    return hostile_workspace(tmp_path / "repo sitory")


@pytest.fixture
async def vscode(home, workspace):
    async with editor(home, workspace) as session:
        yield session


FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


async def test_a_keystroke_gets_an_answer_of_the_model(vscode):
    capabilities = vscode.result.capabilities
    assert capabilities.inline_completion_provider is not None
    sync = capabilities.text_document_sync
    assert (sync.open_close, sync.change) == (True, types.TextDocumentSyncKind.Incremental)
    await vscode.ready()
    uri = vscode.open(FUNCTION)
    [item] = await vscode.complete(uri, 5, 12, automatic=True)
    assert item.insert_text.strip()
    assert item.range == types.Range(types.Position(5, 12), types.Position(5, 12))
    status = await vscode.status()
    assert (status.model, status.recent[-1].reason) == (STARTER, "shown")


async def test_documents_are_kept_by_incremental_changes(vscode):
    await vscode.ready()
    # A form feed and U+2028 end no line in LSP; the emoji takes two UTF-16 units.
    uri = vscode.open("a = '😀'\f\u2028\nx = \n")
    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(1, 4), types.Position(1, 4)), "1 + "
    )
    vscode.client.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, uri), [change])
    )
    [item] = await vscode.complete(uri, 1, 8)
    assert item.range.start == types.Position(1, 8)


async def test_crlf_documents_get_crlf_answers(vscode):
    await vscode.ready()
    uri = vscode.open("def add(a, b):\r\n    return a + b\r\n\r\n\r\ndef subtract(a, b):\r\n")
    [item] = await vscode.complete(uri, 4, 19)
    assert "\n" in item.insert_text
    assert item.insert_text.count("\n") == item.insert_text.count("\r\n")


@pytest.mark.parametrize(
    ("encoding", "column"),
    [
        (types.PositionEncodingKind.Utf8, 16),
        (types.PositionEncodingKind.Utf16, 12),
        (types.PositionEncodingKind.Utf32, 11),
    ],
)
async def test_positions_count_in_the_agreed_encoding(home, workspace, encoding, column):
    async with editor(home, workspace, encodings=[encoding]) as session:
        assert session.result.capabilities.position_encoding == encoding
        await session.ready()
        # Right of the cursor stands `)`: were the column read otherwise, the answer would differ.
        uri = session.open("print('é😀', )\nprint('é😀', 'b')\n")
        [item] = await session.complete(uri, 0, column)
        assert item.range.start == types.Position(0, column)
        assert "\n" not in item.insert_text


async def test_the_answer_extends_the_selected_item(vscode):
    await vscode.ready()
    uri = vscode.open("import os\n\nos.pa\n")
    replaced = types.Range(types.Position(2, 3), types.Position(2, 5))
    selected = types.SelectedCompletionInfo(replaced, "path")
    [item] = await vscode.complete(uri, 2, 5, selected=selected)
    assert item.insert_text.startswith("path")
    assert len(item.insert_text) > len("path")
    assert item.range == replaced


async def test_accepting_is_counted_once(vscode):
    await vscode.ready()
    uri = vscode.open(FUNCTION)
    [item] = await vscode.complete(uri, 5, 12)
    accept = types.ExecuteCommandParams(item.command.command, item.command.arguments)
    assert item.command.command == "tenon.completionAccepted"
    assert await vscode.client.workspace_execute_command_async(accept) is True
    assert await vscode.client.workspace_execute_command_async(accept) is False
    assert (await vscode.status()).accepted == 1


async def test_typing_along_costs_no_second_answer(vscode):
    await vscode.ready()
    [item] = await vscode.complete(vscode.open(FUNCTION), 5, 12)
    typed = item.insert_text[:2]
    uri = vscode.open(FUNCTION + typed)
    [rest] = await vscode.complete(uri, 5, 12 + len(typed))
    assert typed + rest.insert_text == item.insert_text
    assert await vscode.reason() == "cache"


async def test_a_cancelled_request_frees_the_engine(vscode):
    await vscode.ready()
    uri = vscode.open("value = compute(1)\n" * 400 + "value = ")
    protocol = vscode.client.protocol
    request = asyncio.ensure_future(
        protocol.send_request_async(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, vscode.params(uri, 400, 8), msg_id="slow"
        )
    )
    await asyncio.sleep(0.2)
    vscode.client.cancel_request(types.CancelParams("slow"))
    with pytest.raises(JsonRpcException):
        await request
    assert await vscode.reason() == "cancelled"
    assert await vscode.complete(vscode.open(FUNCTION, "b.py"), 5, 12)


async def test_settings_change_while_running(vscode):
    await vscode.ready()
    uri = vscode.open(FUNCTION)
    assert await vscode.complete(uri, 5, 12)
    vscode.client.set_configuration({"enabled": False}, section="tenon")
    vscode.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await vscode.until(lambda status: status.state == "disabled")
    assert await vscode.complete(uri, 5, 12) == []
    assert await vscode.reason() == "disabled"
    settings = {"tenon": {"enabled": True, "maxLines": "many", "debounceMs": -1}}
    vscode.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    await vscode.ready()
    [message] = vscode.client.messages
    assert "tenon.maxLines" in message.message
    assert "tenon.debounceMs" in message.message
    assert await vscode.complete(uri, 5, 12)


async def test_the_status_tells_of_every_change(vscode):
    status = await vscode.ready()
    assert status.engine.pid
    assert status.engine.state == "ready"
    assert status.message == f"{STARTER} is serving."
    told = [entry.state for entry in vscode.statuses]
    assert told[-1] == "ready"
    assert all(
        one != other for one, other in zip(vscode.statuses, vscode.statuses[1:], strict=False)
    )


async def test_two_editors_share_one_engine(vscode, home, tmp_path):
    first = await vscode.ready()
    async with editor(home, hostile_workspace(tmp_path / "other")) as second:
        assert (await second.ready()).engine.pid == first.engine.pid
    assert await vscode.complete(vscode.open(FUNCTION), 5, 12)


async def test_an_engine_that_is_killed_comes_back(vscode):
    pid = (await vscode.ready()).engine.pid
    uri = vscode.open("value = compute(1)\n" * 200 + "value = ")
    answer = asyncio.ensure_future(vscode.complete(uri, 200, 8))
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    await answer  # an empty list, or one that came in time, but no error
    uri = vscode.open(FUNCTION, "b.py")
    async with asyncio.timeout(120):
        while not (items := await vscode.complete(uri, 5, 12)):  # noqa: ASYNC110 - keystrokes
            await asyncio.sleep(0.2)
    assert items[0].insert_text
    assert (await vscode.status()).engine.pid != pid
    assert vscode.client.messages == []


LARGE = "x = 1\n" * 900_000


@pytest.mark.parametrize(
    ("text", "line", "character", "reason"),
    [
        (LARGE, 5, 3, "too_large"),
        ("MZ\0\0\0binary", 0, 4, "binary"),
        ("x = \n", 7, 0, "outside"),
        ("", 0, 0, "blank_document"),
    ],
)
async def test_documents_that_get_no_answer(vscode, text, line, character, reason):
    uri = vscode.open(text)
    assert await vscode.complete(uri, line, character) == []
    assert await vscode.reason() == reason


@pytest.mark.parametrize(
    ("name", "text", "character"),
    [
        ("untitled:Untitled-1", "def add(a, b):\n    return a", 12),
        ("vscode-notebook-cell:/n.ipynb#W0sZmlsZQ", "def add(a, b):\n    return a", 12),
        ("a.py", "s = '\ud83d'\n    return a", 12),
        ("ä b#c.py", "def add(a, b):\n    return a", 5000),
    ],
)
async def test_unusual_documents_are_answered(vscode, name, text, character):
    await vscode.ready()
    uri = vscode.open(text, name)
    await vscode.complete(uri, 1, character)
    assert await vscode.reason() in {"shown", "empty", "unsure", "filtered_repetition"}
    assert vscode.client.messages == []


async def test_a_document_that_was_never_opened(vscode):
    uri = (vscode.root / "never.py").as_uri()
    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(0, 0), types.Position(0, 0)), "x"
    )
    vscode.client.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, uri), [change])
    )
    assert await vscode.complete(uri, 0, 0) == []
    assert await vscode.reason() == "unknown_document"
    assert vscode.client.messages == []


async def test_a_malformed_address_is_no_error(vscode):
    assert await vscode.complete("file://[", 0, 0) == []
    assert await vscode.reason() == "unknown_document"
    assert vscode.client.messages == []


async def test_a_model_that_is_not_there_is_named_and_nothing_pops_up(tmp_path, workspace):
    async with editor(tmp_path / "empty", workspace, options={"model": "no-such"}) as session:
        uri = session.open(FUNCTION)
        assert await session.complete(uri, 5, 12) == []
        status = await session.until(lambda status: status.state == "error")
        assert "no-such" in status.message
        assert await session.complete(uri, 5, 12) == []
        assert await session.reason() == "engine_unavailable"
        assert session.client.messages == []


SHOP = """def sell(ledger, amount):
    ledger.open_zebra()
    ledger.record_quartz(amount)
    ledger.close_walnut()
"""
BOOK = """from shop import sell


def book(ledger, amount):
    sell(ledger, amount)


def sell_again(ledger, amount):
    ledger.open_zebra()
    ledger.record_quartz(amount)
    ledger."""


async def indexed(home, workspace):
    """Wait until a process has read the workspace: from then on other files may be shown."""
    index = RepositoryIndex.reading(RepositoryStore.of(StorePaths(home), workspace).index)
    async with asyncio.timeout(60):
        while not index.places(["sell"], ""):  # noqa: ASYNC110 - a process's work
            await asyncio.sleep(0.1)
    index.close()


async def test_a_prompt_holds_what_another_file_defines(home, workspace):
    (workspace / "shop.py").write_text(SHOP)
    # A busy machine measures a speed at which there is no room for other files.
    async with editor(home, workspace, options={"latencyTargetMs": 60_000}) as session:
        await session.ready()
        await indexed(home, workspace)
        [item] = await session.complete(session.open(BOOK, "book.py"), 10, 11)
        # The name stands nowhere but in the other file.
        assert item.insert_text.startswith("close_walnut(")


async def test_a_prompt_holds_what_another_tab_has_and_no_disk_does(home, workspace):
    (workspace / "shop.py").write_text("def sell(ledger, amount):\n    return None\n")
    async with editor(home, workspace, options={"latencyTargetMs": 60_000}) as session:
        await session.ready()
        await indexed(home, workspace)
        shop = session.open((workspace / "shop.py").read_text(), "shop.py")
        whole = types.TextDocumentContentChangeWholeDocument(SHOP)
        session.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(2, shop), [whole]
            )
        )
        book = session.open(BOOK, "book.py")
        [item] = await session.complete(book, 10, 11)
        # The name stands nowhere but in the tab that was not saved.
        assert item.insert_text.startswith("close_walnut(")
        why = await session.client.protocol.send_request_async("tenon/why", {"uri": book})
        assert any(place.startswith("shop.py:") for place in why.snippets)
        session.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(shop))
        )
        later = session.open(BOOK, "later.py")
        await session.complete(later, 10, 11)
        why = await session.client.protocol.send_request_async("tenon/why", {"uri": later})
        assert not any("close_walnut" in segment.text for segment in why.segments)


def promoted(home, workspace, seed):
    """What a run would leave behind: a random adapter that the gate found better."""
    registry, adapter = published(home, workspace, seed)
    registry.activate(adapter.id, adapter.scale)
    return registry, adapter


async def answered_by(session, name):
    """Which adapter a keystroke in a new document is answered by."""
    await session.complete(session.open(FUNCTION, name), 5, 12)
    outcome = (await session.status()).recent[-1]
    assert outcome.timings.predicted_n > 0
    return outcome.adapter


async def test_what_was_learnt_answers_for_as_long_as_it_is_active(home, workspace):
    registry, first = promoted(home, workspace, 1)
    async with editor(home, workspace) as session:
        await session.until(lambda status: status.adapter == first.id)  # before any keystroke
        assert await answered_by(session, "a.py") == first.id
        _, second = promoted(home, workspace, 2)
        await session.until(lambda status: status.adapter == second.id)
        assert await answered_by(session, "b.py") == second.id
        shell = json.loads(tenon(home, "status", "--json", cwd=workspace).stdout)
        assert shell["adapter"] == second.id
        (workspace / "c.py").write_text(FUNCTION)
        done = tenon(home, "complete", "c.py:6:13", "--json", cwd=workspace)
        assert json.loads(done.stdout)["adapter"] == second.id, done.stderr
        registry.deactivate()
        async with asyncio.timeout(60):
            while session.statuses[-1].adapter is not None:  # told, because a query looked
                await session.complete(session.open(FUNCTION, "d.py"), 5, 12)
                await asyncio.sleep(0.1)
        assert await answered_by(session, "e.py") is None
        assert session.client.messages == []


async def test_an_engine_that_is_started_again_is_given_the_adapter_again(home, workspace):
    _, adapter = promoted(home, workspace, 3)
    async with editor(home, workspace) as session:
        await session.until(lambda status: status.adapter == adapter.id)
        os.kill((await session.status()).engine.pid, signal.SIGTERM)
        await session.until(lambda status: status.engine.state == "stopped")
        await session.complete(session.open(FUNCTION), 5, 12)  # starts it
        await session.until(lambda status: status.adapter == adapter.id)
        assert await answered_by(session, "b.py") == adapter.id


async def test_a_damaged_adapter_leaves_the_base_to_answer(home, workspace):
    _, adapter = promoted(home, workspace, 4)
    adapter.path.write_bytes(b"GGUF")
    async with editor(home, workspace) as session:
        status = await session.until(lambda status: "not the file" in status.lastError)
        assert (status.state, status.adapter) == ("ready", None)
        assert await answered_by(session, "a.py") is None
        shell = tenon(home, "status", cwd=workspace).stdout
        assert "is not the file that was published" in shell
        assert session.client.messages == []


def tenon(home, *arguments, cwd=None):
    environment = {**os.environ, "TENON_HOME": str(home)}
    return subprocess.run(  # noqa: PLW1510  # the status is part of what is tested
        [TENON, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=200
    )


def test_complete_in_a_shell(home, workspace):
    (workspace / "a b.py").write_text(FUNCTION)
    done = tenon(home, "complete", "a b.py:6:13", "--json", cwd=workspace)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"text", "model", "adapter", "reason", "timings"}
    assert (answer["model"], answer["reason"]) == (STARTER, "shown")
    assert answer["text"].strip()


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        (b"x = 1\n", "a.py:9:1", "there is no line 9"),
        (b"x = 1\n", "a.py:1:99", "ends at column 6"),
        (b"\0\1\2", "a.py:1:1", "binary"),
        (b"x", "b.py:1:1", "cannot be read"),
    ],
)
def test_complete_says_what_is_wrong_with_the_place(tmp_path, content, target, message):
    (tmp_path / "a.py").write_bytes(content)
    done = tenon(tmp_path / "home", "complete", target, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "home").exists()


async def test_status_in_a_shell_starts_nothing(tmp_path, vscode, home):
    stopped = json.loads(tenon(tmp_path / "empty", "status", "--json").stdout)
    assert (stopped["state"], stopped["engine"]["state"]) == ("stopped", "stopped")
    assert f"tenon models pull {STARTER}" in stopped["message"]
    assert not (tmp_path / "empty").exists()
    pid = (await vscode.ready()).engine.pid
    ready = json.loads(tenon(home, "status", "--json").stdout)
    assert (ready["state"], ready["model"]) == ("ready", STARTER)
    assert ready["engine"]["pid"] == pid


async def test_over_tcp(home, workspace):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "TENON_HOME": str(home)}
    server = await asyncio.create_subprocess_exec(
        TENON, "serve", "--tcp", str(port), env=environment, cwd=workspace
    )
    client = make_test_lsp_client()
    async with asyncio.timeout(60):
        while True:
            try:
                await client.start_tcp("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.1)
    result = await client.initialize_session(
        types.InitializeParams(capabilities=client_capabilities("visual-studio-code"))
    )
    assert result.server_info.name == "tenon"
    await client.shutdown_session()
    await client.stop()
    client.protocol.writer.close()  # pygls does not
    assert await asyncio.wait_for(server.wait(), 30) == 0
