"""What the machine is doing: its free memory and its power."""

from dataclasses import dataclass

import psutil

from .triggers import is_memory_low


@dataclass(frozen=True, slots=True)
class MachineState:
    """``on_battery`` is False where there is no battery, or nobody can tell."""

    memory_low: bool = False
    on_battery: bool = False


def read_machine() -> MachineState:
    """The state now; takes well under a millisecond."""
    memory = psutil.virtual_memory()
    return MachineState(is_memory_low(memory.available, memory.total), _is_on_battery())


def _is_on_battery() -> bool:
    ask = getattr(psutil, "sensors_battery", None)
    if ask is None:
        return False
    try:
        battery = ask()
    except (OSError, RuntimeError, ValueError, psutil.Error):  # odd drivers; nobody can tell then
        return False
    return battery is not None and battery.power_plugged is False
