"""From a request to a query: what is known of its document beside the text. Pure."""

from ..completion.query import Query
from ..documents import SplitDocument, locate
from ..edits import Request
from ..prompt.assemble import Source
from .keys import Edit, LastEdits
from .offering import Offers
from .parts import Indexes


class Asking:
    """Knows the last edits of one session, and which of them accepted a suggestion."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._edits = LastEdits()

    def edited(self, uri: str, edit: Edit | None) -> None:
        """A document was edited; None: in a way that tells nothing."""
        self._edits.note(uri, edit)

    def query(
        self, request: Request, document: SplitDocument, root: str | None, indexes: Indexes | None
    ) -> Query:
        """A request's query, for the base to answer."""
        path, repository = locate(request.path, request.roots)
        edit = self._edits.at(request.uri, request.position)
        return Query(
            request.uri,
            Source(document.before, document.after, path, repository),
            request.automatic,
            index=indexes.index_of(root) if indexes and root else None,
            deleting=edit is not None and edit.deletes,
            accepted=edit.text if edit and self._offers.hold(request.uri, edit.text) else "",
        )
