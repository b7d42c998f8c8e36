"""Which signals mean that a run, or whoever watches for one, is to end; without torch."""

import signal
import sys

ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
"""Of these SIGHUP comes when a terminal is closed, and from the system to a run that stands still
when its watcher is killed: else it would stand there for ever. Windows has none."""
if sys.platform != "win32":
    ENDING = (*ENDING, signal.SIGHUP)


def to_be_heard() -> list[signal.Signals]:
    """Those that this process is to listen to: not SIGHUP under ``nohup``, which ignores it."""
    return [it for it in ENDING if it.name != "SIGHUP" or signal.getsignal(it) != signal.SIG_IGN]
