"""What a user has a trainer do, and the installation of what it needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import protocol
from ..trainer_messages import Cancel, Order, Pause, Resume, Train
from .answers import at_most, begun
from .folders import root_at

if TYPE_CHECKING:
    from ..server import TenonServer


async def start_training(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.startTraining``: now, whatever the triggers say."""
    _order(ls, arguments, Train(), protocol.START_TRAINING)


async def cancel_training(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.cancelTraining``: what served before goes on serving."""
    _order(ls, arguments, Cancel(), protocol.CANCEL_TRAINING)


async def pause_training(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.pauseTraining``: until it is resumed, also in other windows and after restarts."""
    _order(ls, arguments, Pause(), protocol.PAUSE_TRAINING)


async def resume_training(ls: "TenonServer", arguments: Sequence[Any]) -> None:
    """``tenon.resumeTraining``."""
    _order(ls, arguments, Resume(), protocol.RESUME_TRAINING)


async def set_up_training(ls: "TenonServer", arguments: Sequence[Any]) -> bool:
    """``tenon.setupTraining``: whether what training needs is installed now."""
    at_most(arguments, 0, protocol.SETUP_TRAINING)
    return await begun(ls.learning).set_up()


def _order(ls: "TenonServer", arguments: Sequence[Any], order: Order, command: str) -> None:
    at_most(arguments, 1, command)
    root = root_at(ls, arguments, 0)
    begun(ls.learning).order(root, order)
