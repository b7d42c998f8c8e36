"""What the trainer of a repository hears: from an editor, its worker, its run, and the files."""

from dataclasses import dataclass

from lsp_server.trainer_messages import Order

from .bursts import Changed
from .processes import Ended, Said
from .worker import Done


@dataclass(frozen=True, slots=True)
class EndOfOrders:
    """Nobody will give an order any more: the watcher saves what there is, and ends."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that the user should know of, in a sentence."""

    sentence: str


Message = Order | Changed | Said | Ended | Done | EndOfOrders | Trouble
