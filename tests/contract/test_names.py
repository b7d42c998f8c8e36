"""Names that other programs rely on: the extension, other editors, scripts."""

import inspect

from lsp_server import protocol, server
from lsp_server.completion.reasons import Reason
from lsp_server.handlers import table
from lsp_server.store.paths import StorePaths

TO_THE_EDITOR = {protocol.STATUS_DID_CHANGE}
CAPABILITIES = {protocol.SHOWS_TRAINER}


def test_every_method_and_command_is_served_and_documented(tmp_path):
    registered = server.TenonServer(StorePaths(tmp_path)).protocol.fm
    names = {
        value for name, value in vars(protocol).items() if name.isupper() and isinstance(value, str)
    }
    assert all(f"``{name}``" in protocol.__doc__ for name in names)
    commands = {name for name in names if name.startswith("tenon.")}
    assert set(registered.commands) == commands
    assert names - commands - TO_THE_EDITOR - CAPABILITIES <= set(registered.features)


def test_the_status_is_camel_case_on_the_wire():
    status = protocol.Status("ready", "m", "1", protocol.EngineReport("ready"))
    wire = status.wire()
    assert set(wire) == {
        "state", "message", "version", "engine", "model", "adapter", "lastError", "recent",
        "accepted", "trainer",
    }  # fmt: skip
    assert set(wire["engine"]) == {
        "state", "reason", "pid", "url", "context", "prefillSpeed", "decodeSpeed", "retryIn",
    }  # fmt: skip


def test_every_handler_is_a_coroutine():
    """pygls cannot cancel a handler in a thread, and a plain one would block all others."""
    for handler in (*table.LSP.values(), *table.REQUESTS.values(), *table.COMMANDS.values()):
        assert inspect.iscoroutinefunction(handler)


def test_every_reason_has_a_sentence():
    assert all(reason.sentence.endswith(".") for reason in Reason)
    answered = {Reason.SHOWN, Reason.CACHE, Reason.JOINED}
    assert {reason for reason in Reason if reason.answered} == answered
