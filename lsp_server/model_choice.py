"""A model by name: brought if need be, served, and only then chosen."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from .errors import SettingsError, UnknownModelError
from .settings import ServerSettings
from .store.catalogue import CatalogueEntry, load_catalogue
from .store.download import pull, stages
from .store.models import InstalledModel, ModelStore

if TYPE_CHECKING:
    from .bootstrap import Editor


def refuse_if_settled(name: str, settings: ServerSettings, *, noted: bool = False) -> None:
    """Raises SettingsError if the editor's settings say what serves, whatever is chosen.

    ``noted``: the editor notes the name in `tenon.model` itself, once the model serves.
    """
    if settings.engine_url:
        raise SettingsError(
            f"`tenon.engineUrl` has {settings.engine_url} serve, so {name} cannot; empty that "
            "setting first"
        )
    if settings.model not in {"", name} and not noted:
        raise SettingsError(
            f"`tenon.model` has {settings.model} serve, so {name} cannot; empty that setting, or "
            f"name {name} in it"
        )


async def installed(store: ModelStore, name: str, editor: "Editor") -> InstalledModel:
    """The model of that name, brought with progress if it is not there, and checked.

    Raises ModelError: unknown, undeliverable, corrupt, or stopped by the user.
    """
    model = await asyncio.to_thread(store.find, name)
    if model is None:
        entry = load_catalogue().get(name)
        if entry is None:
            await asyncio.to_thread(store.get, name)  # raises with the names that come close
            raise UnknownModelError(f"there is no model {name!r}; `tenon models list` shows them")
        await bring(store, entry, editor)
        model = await asyncio.to_thread(store.get, name)
    return await asyncio.to_thread(store.verify, model)


async def bring(store: ModelStore, entry: CatalogueEntry, editor: "Editor") -> None:
    """Bring a model in a thread, with progress in the editor; ended with the task."""
    for stage in await asyncio.to_thread(stages, store, entry):
        async with editor.progress(f"Tenon: {stage.arriving}") as progress:
            try:
                work = partial(pull, store, stage, progress.report, progress.cancelled)
                await asyncio.to_thread(work)
            except asyncio.CancelledError:
                progress.cancelled.set()
                raise
