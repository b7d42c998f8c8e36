"""When a team has its repository learnt: the table ``[training]`` of its ``tenon.toml``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..errors import SettingsError
from ..trainer_messages import HOURS, Schedule, TrainingMode
from .rules import FILE_NAME, named, read_table

_AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
_Figure = Annotated[float, msgspec.Meta(ge=0)]
_Hours = Annotated[str, msgspec.Meta(pattern=HOURS)]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """Fields of :class:`lsp_server.trainer_messages.Schedule`, and the seconds that a run may take
    for training and for its gate; what is not given is UNSET.
    """

    mode: TrainingMode | msgspec.UnsetType = msgspec.UNSET
    min_changes: _AtLeastOne | msgspec.UnsetType = msgspec.UNSET
    drift: _Figure | msgspec.UnsetType = msgspec.UNSET
    idle_seconds: _Figure | msgspec.UnsetType = msgspec.UNSET
    min_gap_minutes: _Figure | msgspec.UnsetType = msgspec.UNSET
    on_battery: bool | msgspec.UnsetType = msgspec.UNSET
    hours: _Hours | msgspec.UnsetType = msgspec.UNSET
    time_budget: _Figure | msgspec.UnsetType = msgspec.UNSET
    gate_seconds: _Figure | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class TrainingRules:
    """What the table says, by the names in it.

    ``schedule`` are fields of a Schedule; ``time_budget`` and ``gate_seconds`` are seconds, None
    for a run's own defaults.
    """

    schedule: dict[str, Any] = field(default_factory=dict)
    time_budget: float | None = None
    gate_seconds: float | None = None

    @classmethod
    def of(cls, root: Path) -> "TrainingRules":
        """Those of the repository at ``root``; none without a ``tenon.toml``.

        Raises ``SettingsError``, which names the field, for a file that cannot be used.
        """
        try:
            table = msgspec.convert(read_table(root, "training"), _Table)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{root / FILE_NAME}: {_message(str(error))}") from error
        given: dict[str, Any] = msgspec.to_builtins(table)
        budget, gate = given.pop("time_budget", None), given.pop("gate_seconds", None)
        return cls(given, budget, gate)

    def over(self, schedule: Schedule) -> Schedule:
        """The editor's settings with the team's before them."""
        return msgspec.structs.replace(schedule, **self.schedule)


def _message(message: str) -> str:
    """Msgspec's message with the field first, and without the pattern of the hours."""
    what, at, where = message.partition(" - at ")
    if "regex" in what:
        what = "expected hours such as `22:00-06:00`, or nothing for any"
    return named(f"{what}{at}{where}", "training")
