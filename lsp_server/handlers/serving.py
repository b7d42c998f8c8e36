"""What is asked of the session and of its engine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import protocol
from .answers import at_most, text_at

if TYPE_CHECKING:
    from ..server import TenonServer


async def status(ls: "TenonServer", params: object) -> dict[str, Any]:
    """``tenon/status``: as the engine itself says now, not as it was at the last keystroke."""
    del params
    await ls.session.refresh()
    return ls.session.status().wire()


async def completion_accepted(ls: "TenonServer", arguments: Sequence[Any]) -> bool:
    """``tenon.completionAccepted``: whether it was one of ours."""
    at_most(arguments, 1, protocol.COMPLETION_ACCEPTED)
    return ls.session.accepted(text_at(arguments, 0, "the suggestion's id"))


async def restart_engine(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.restartEngine``: end this machine's engine and start it again, without waiting."""
    at_most(arguments, 0, protocol.RESTART_ENGINE)
    if ls.bootstrap is not None:
        ls.bootstrap.start(renew=True)
