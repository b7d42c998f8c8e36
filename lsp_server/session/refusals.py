"""When a session answers nothing, and why. Pure."""

from ..completion.provider import Completion
from ..completion.reasons import Reason
from ..edits import Request, is_larger
from ..settings import ServerSettings


def refusal(request: Request, settings: ServerSettings) -> Reason | None:
    """Why a request is not even looked at; None: it is."""
    if not settings.enabled or request.language in settings.disabled_languages:
        return Reason.DISABLED
    if request.text is None:
        return Reason.UNKNOWN_DOCUMENT
    if is_larger(request.text, settings.max_file_bytes):
        return Reason.TOO_LARGE
    return Reason.BINARY if "\0" in request.text else None


def is_without(adapter: str | None, completion: Completion) -> bool:
    """Whether the base answered in the place of an adapter that was asked for."""
    return adapter is not None and completion.adapter is None and bool(completion.model)
