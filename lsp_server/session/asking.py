"""From a request to a query: what is known of its document beside the text, and who answers."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ..completion.query import Query
from ..documents import SplitDocument, located
from ..edits import Request
from ..prompt.assemble import Source
from .keys import Edit, LastEdits
from .offering import Offers
from .parts import Adapters, Indexes
from .sharing import BaseShare

if TYPE_CHECKING:  # the HTTP client is imported after the editor has its answer to `initialize`
    from ..adapter_loading import AdaptableEngine


class Asking:
    """Knows the last edits of one session, and which of them accepted a suggestion."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._edits = LastEdits()
        self._base_share = BaseShare()

    def edited(self, uri: str, edit: Edit | None) -> None:
        """A document was edited; None: in a way that tells nothing."""
        self._edits.note(uri, edit)

    def query(
        self,
        request: Request,
        root: str | None,
        document: SplitDocument,
        indexes: Indexes | None,
    ) -> Query:
        """A request's query, for the base to answer; ``root`` is the open folder it is about."""
        path, repository = located(request.path, root)
        edit = self._edits.at(request.uri, request.position)
        return Query(
            request.uri,
            Source(document.before, document.after, path, repository),
            request.automatic,
            index=indexes.index_of(root) if indexes and root else None,
            deleting=edit is not None and edit.deletes,
            accepted=edit.text if edit and self._offers.hold(request.uri, edit.text) else "",
        )

    def adapted(
        self,
        query: Query,
        root: str | None,
        line: int,
        adapters: Adapters,
        engine: "AdaptableEngine",
        *,
        base_share: float,
    ) -> Query:
        """The same for the folder's adapter, if it has one, and the draw for the cursor's line is
        not the base's.
        """
        adapter = adapters.adapter_of(root, engine) if root else None
        draws = self._base_share.draws
        if adapter is None or draws(base_share, query.uri, line):
            return query
        return replace(
            query,
            adapter=adapter.name,
            scale=adapter.scale,
            least_confidence=adapter.least_confidence,
        )
