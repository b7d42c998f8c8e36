"""What a command that completes does first: the starter is made where it serves and is due."""

import asyncio
import logging
from collections.abc import Callable

from ..engine.launcher import switch_model
from ..errors import EngineError
from ..store.catalogue import STARTER, CatalogueEntry
from ..store.download import ensure_starter, starter_is_due
from ..store.models import ModelStore
from ..store.paths import StorePaths

_log = logging.getLogger(__name__)


async def bring_starter(paths: StorePaths, begun: Callable[[CatalogueEntry], None]) -> None:
    """Bring the starter if it is missing or of an older package; an engine that serves it switches.

    ``begun`` is told, in another thread, what is brought now. Raises ``ModelError``.
    """
    store = ModelStore(paths)
    if starter_is_due(store):
        await asyncio.to_thread(ensure_starter, store, begun)
        try:
            await asyncio.to_thread(switch_model, paths, STARTER, instead_of=STARTER)
        except EngineError as error:
            _log.warning("the running engine goes on with the older starter: %s", error)
