"""A test's editor: a pytest-lsp client of a real server, in a home and a workspace of its own."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import psutil
from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.starter import install

TENON = str(Path(sys.executable).with_name("tenon"))
READY_SECONDS = 240


def installed_home(root: Path) -> Path:
    """A home that holds the starter model."""
    install(ModelStore(StorePaths(root)))
    return root


def end_engine(home: Path) -> None:
    """End the engine that belongs to a home, if one runs."""
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(json.loads((home / "engine.json").read_text())["pid"])
        process.terminate()
        process.wait(10)


def hostile_workspace(root: Path) -> Path:
    """A repository that would run its own code if anything were imported from it."""
    for package in ("lsp_server", "training", "pygls"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text("raise SystemExit('hostile code ran')\n")
    (root / "asyncio.py").write_text("raise SystemExit('hostile code ran')\n")
    return root


class Editor:
    """A client with one server of its own."""

    def __init__(self, client: LanguageClient, root: Path) -> None:
        self.client = client
        self.root = root
        self.statuses: list = []

        def remember(status) -> None:
            self.statuses.append(status)

        client.feature("tenon/status/didChange")(remember)

    def open(self, text: str, name: str = "a.py", language: str = "python") -> str:
        uri = name if ":" in name else (self.root / name).as_uri()
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return uri

    def params(self, uri, line, character, *, automatic=False, selected=None):
        kind = types.InlineCompletionTriggerKind
        return types.InlineCompletionParams(
            types.InlineCompletionContext(
                kind.Automatic if automatic else kind.Invoked, selected_completion_info=selected
            ),
            types.TextDocumentIdentifier(uri),
            types.Position(line, character),
        )

    async def complete(self, uri, line, character, **options):
        params = self.params(uri, line, character, **options)
        result = await self.client.text_document_inline_completion_async(params)
        assert isinstance(result, types.InlineCompletionList)
        return list(result.items)

    async def status(self):
        return await self.client.protocol.send_request_async("tenon/status")

    async def reason(self):
        return (await self.status()).recent[-1].reason

    async def ready(self, seconds=READY_SECONDS):
        return await self.until(lambda status: status.state == "ready", seconds)

    async def until(self, condition, seconds=READY_SECONDS):
        async with asyncio.timeout(seconds):
            while not condition(status := await self.status()):  # noqa: ASYNC110 - by request
                await asyncio.sleep(0.1)
        return status


@contextlib.asynccontextmanager
async def editor(home, root, *, others=(), encodings=None, options=None, capabilities=None):
    """An initialized session of a real server whose working folder is the workspace.

    ``others`` are folders that are open beside it.
    """
    client = make_test_lsp_client()
    session = Editor(client, root)
    environment = {**os.environ, "TENON_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    await client.start_io(TENON, "serve", "--stdio", env=environment, cwd=root)
    capabilities = capabilities or client_capabilities("visual-studio-code")
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    if encodings:
        capabilities.general.position_encodings = encodings
    session.result = await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            workspace_folders=[
                types.WorkspaceFolder(folder.as_uri(), folder.name) for folder in (root, *others)
            ],
            initialization_options=options or {},
        )
    )
    try:
        yield session
    finally:
        await client.shutdown_session()
        await client.stop()
