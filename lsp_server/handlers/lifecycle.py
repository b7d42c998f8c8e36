"""An editor comes, tells its settings and folders, and goes."""

from typing import TYPE_CHECKING

from lsprotocol import types

from ..documents import path_of
from ..settings import SECTION

if TYPE_CHECKING:
    from ..server import TenonServer


async def initialize(ls: "TenonServer", params: types.InitializeParams) -> None:
    """Settings may come with the first message."""
    if client := params.client_info:
        ls.client_name = f"{client.name} {client.version or ''}".strip()
    ls.configure(params.initialization_options)


async def initialized(ls: "TenonServer", params: types.InitializedParams) -> None:
    """The editor listens: everything slow begins now."""
    del params
    await ls.begin()


async def shutdown(ls: "TenonServer", params: None) -> None:
    """The editor is closing."""
    del params
    await ls.end()


async def did_change_configuration(
    ls: "TenonServer", params: types.DidChangeConfigurationParams
) -> None:
    """Settings come with the message, or are to be asked for."""
    settings = params.settings
    if isinstance(settings, dict) and SECTION in settings:
        ls.configure(settings[SECTION])
    else:
        await ls.pull_configuration()


async def did_change_folders(
    ls: "TenonServer", params: types.DidChangeWorkspaceFoldersParams
) -> None:
    """Folders came or went; pygls has changed the workspace already."""
    for folder in params.event.removed:
        if path := path_of(folder.uri):
            await ls.close_folder(path)
    for folder in params.event.added:
        if path := path_of(folder.uri):
            await ls.open_folder(path)
