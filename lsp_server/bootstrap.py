"""From nothing to a serving model: the starter on first run, the engine, and one better offer.

The server imports this after `initialized`: it brings the HTTP client in.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from .editor import Progress
from .engine.supervisor import EngineSupervisor
from .engine_options import engine_options, needs_another_engine, needs_renewal
from .errors import DownloadCancelledError, EngineError, TenonError
from .model_choice import bring, installed, refuse_if_settled
from .offers import OfferBook, recommendation
from .session.session import Session
from .settings import ServerSettings
from .store.catalogue import STARTER, CatalogueEntry, load_catalogue
from .store.download import starter_is_due
from .store.models import ModelStore
from .store.paths import StorePaths

_log = logging.getLogger(__name__)
LOADING_SECONDS = 180.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 15.0, 600.0
DOWNLOAD, NOT_NOW, NEVER = "Download", "Not now", "Don't ask again"
GO_ON = "the command `tenon.restartEngine` goes on with it"


class Editor(Protocol):
    """What the set-up asks of an editor."""

    def progress(self, title: str) -> AbstractAsyncContextManager[Progress]: ...
    async def choose(self, message: str, actions: Sequence[str]) -> str | None: ...


class Bootstrap:
    """Gives a session its engine, and the engine its model; started after ``initialized``."""

    def __init__(self, session: Session, editor: Editor, paths: StorePaths) -> None:
        self._session = session
        self._editor = editor
        self._paths = paths
        self._supervisor: EngineSupervisor | None = None
        self._task: asyncio.Task[None] | None = None
        self._renew = False
        self._offered = False
        self._offers = OfferBook(paths)

    def start(self, *, renew: bool = False) -> None:
        """Begin, or begin again with other settings; what runs of an earlier start is ended.

        With ``renew`` this machine's own engine is ended and started anew, for all its editors.
        """
        # It stays wanted until a supervisor has it: a next change may come before that.
        self._renew = self._renew or renew
        self._instead(self._run)

    def reconfigure(self, old: ServerSettings) -> None:
        """Follow a change of settings: another engine, or another model in the same one."""
        new = self._session.settings
        if needs_another_engine(old, new) or (old.model != new.model and self._supervisor is None):
            self.start(renew=needs_renewal(old, new))
        elif old.model != new.model:
            self._instead(self._switch)

    async def choose(self, name: str, *, noted: bool = False) -> None:
        """Have a model serve, from now on: it is fetched if need be, and chosen once it serves.

        ``noted``: the editor notes it in its settings then, which go before what is chosen here; so
        nothing is. Raises TenonError and ``OSError``: what served before goes on.
        """
        refuse_if_settled(name, self._session.settings, noted=noted)
        store = ModelStore(self._paths)
        await installed(store, name, self._editor)
        if noted:
            if self._supervisor is not None:
                await self._supervisor.switch_model(name)
            return
        if self._supervisor is None:  # nothing serves yet, perhaps because the old choice cannot
            await asyncio.to_thread(store.choose, name)
            self.start()
            return
        await _serve(self._supervisor, store, name)

    async def aclose(self) -> None:
        """End what runs here; the engine is shared and goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._supervisor is not None:
            await self._supervisor.aclose()

    def _instead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` in place of what is being done now."""
        older, self._task = self._task, asyncio.create_task(self._after(self._task, work))
        if older is not None:
            older.cancel()

    async def _after(
        self, older: asyncio.Task[None] | None, work: Callable[[], Awaitable[None]]
    ) -> None:
        if older is not None:
            await asyncio.gather(older, return_exceptions=True)
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # else the status says "starting" for ever
            _log.exception("the set-up failed")
            message = f"Tenon's set-up failed ({error!r}); {GO_ON}, and its log says where."
            if self._supervisor is None:
                self._session.setting_up("error", message)
            else:
                self._session.trouble(message)

    async def _run(self) -> None:
        closing, self._supervisor = self._supervisor, None
        if closing is not None:
            self._session.engines = None
            await closing.aclose()
        wait = FIRST_RETRY_SECONDS
        try:
            while not await self._set_up():
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_RETRY_SECONDS)
        except DownloadCancelledError:
            # Whoever stops a download does not want it back 15 seconds later.
            self._session.setting_up(
                "stopped", f"The download of the starter model was stopped; {GO_ON}."
            )
            return
        await self._renew_starter()
        await self._offer()

    async def _set_up(self) -> bool:
        """Hand the session its engine; false, with the reason in the status, if that failed.

        Raises DownloadCancelledError if the user stopped the starter's download.
        """
        session = self._session
        session.setting_up("starting", "Tenon is starting.")
        try:
            options = await asyncio.to_thread(engine_options, session.settings)
            if not options.url:
                await self._ensure_model()
        except DownloadCancelledError:
            raise
        except (TenonError, OSError) as error:
            session.setting_up("error", str(error))
            return False
        supervisor = EngineSupervisor(
            options, self._paths, lambda _: session.engine_changed(), renew=self._renew
        )
        self._renew = False
        session.engines = self._supervisor = supervisor
        session.setting_up(None)
        supervisor.engine()  # starts it, so that the first keystroke finds it ready
        return True

    async def _ensure_model(self) -> None:
        """The starter is brought if it is what serves here and is not installed."""
        store = ModelStore(self._paths)
        due = starter_is_due(store, self._session.settings.model)
        if not due or store.find(STARTER) is not None:
            return  # an older package's serves until the new one is whole
        self._session.setting_up("downloading", "The starter model is on its way.")
        await bring(store, load_catalogue()[STARTER], self._editor)
        self._session.setting_up("starting", "The starter model has arrived.")

    async def _renew_starter(self) -> None:
        """Make this package's starter while an older package's serves, and switch to it."""
        supervisor, store = self._supervisor, ModelStore(self._paths)
        settings = self._session.settings
        due = not settings.engine_url and starter_is_due(store, settings.model)
        if supervisor is None or not due or store.find(STARTER) is None:
            return
        try:
            # Not before: the file that the engine may still be loading is deleted in the end.
            await supervisor.wait_ready(LOADING_SECONDS)
            await bring(store, load_catalogue()[STARTER], self._editor)
            await supervisor.switch_model(STARTER)
        except DownloadCancelledError:
            _log.info("the starter model was not renewed: the user stopped it")
        except (TenonError, OSError) as error:
            self._session.trouble(f"the starter model could not be renewed: {error}")

    async def _switch(self) -> None:
        """Serve the model that the settings name now; the old one serves until it has loaded."""
        if self._supervisor is None:
            return
        try:
            store = ModelStore(self._paths)
            name = self._session.settings.model or store.chosen() or STARTER
            await self._supervisor.switch_model(name)
        except TenonError as error:
            self._session.trouble(f"the model could not be switched: {error}")

    async def _offer(self) -> None:
        """Ask once whether to fetch a model that suits this machine; it takes over on arrival."""
        settings, supervisor = self._session.settings, self._supervisor
        if self._offered or not settings.offer_models or settings.model or settings.engine_url:
            return
        if supervisor is None or not self._offers.is_open(datetime.now(UTC)):
            return
        try:
            await supervisor.wait_ready(LOADING_SECONDS)
        except EngineError:
            return  # the status says why
        try:
            info = supervisor.status.info
            store = ModelStore(self._paths)
            if info is None or store.chosen() is not None:
                return
            entry = await asyncio.to_thread(recommendation, store, info)
            if entry is None or not await self._agreed(entry):
                return
            await bring(store, entry, self._editor)
            await _serve(supervisor, store, entry.name)
        except DownloadCancelledError:
            _log.info("the download was stopped; it goes on from there the next time")
        except EngineError as error:
            self._session.trouble(f"the new model does not serve, so the old one goes on: {error}")
        except (TenonError, OSError) as error:
            self._session.trouble(str(error))

    async def _agreed(self, entry: CatalogueEntry) -> bool:
        self._offered = True
        size = f"{entry.size / 1e9:.1f} GB" if entry.size else "size unknown"
        answer = await self._editor.choose(
            f"{entry.title} would complete better than the starter model and suits this machine: "
            f"{size}, licence {entry.license}. Download it?",
            (DOWNLOAD, NOT_NOW, NEVER),
        )
        if answer == NOT_NOW:
            self._offers.postpone(datetime.now(UTC))
        elif answer == NEVER:
            self._offers.close()
        return answer == DOWNLOAD


async def _serve(supervisor: EngineSupervisor, store: ModelStore, name: str) -> None:
    """Have a model serve, and only then choose it: one that does not load would fail at every start
    from then on.
    """
    await supervisor.switch_model(name)
    await asyncio.to_thread(store.choose, name)
