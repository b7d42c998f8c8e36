"""How a run is told to the program that started it: one JSON object a line, and nothing else."""

import math
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

import msgspec

from ..recipe.recipe import TrainingEvent
from ..run import Outcome
from ..running.job import Listener


class Events:
    """Writes to ``output``. A reader that is gone ends the run as SIGTERM would: nobody else could
    pause, resume or end it.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self.listener = Listener(self._stage, self._event, self._judged)

    def outcome(self, outcome: Outcome) -> None:
        """The gate's verdict; figures as :class:`GateSummary` has them."""
        summary = outcome.report.summary
        self._tell(
            "outcome",
            {
                "adapter": outcome.adapter,
                "promoted": outcome.report.promoted,
                **msgspec.to_builtins(summary),
                "run": str(outcome.run),
            },
        )

    def error(self, message: str) -> None:
        """Why there is no outcome."""
        self._tell("error", {"message": message})

    def _stage(self, text: str) -> None:
        self._tell("stage", {"stage": text})

    def _event(self, event: TrainingEvent) -> None:
        self._tell("step", asdict(event))

    def _judged(self, step: str, done: int, total: int) -> None:
        self._tell("judging", {"step": step, "done": done, "total": total})

    def _tell(self, kind: str, fields: Mapping[str, Any]) -> None:
        known = {
            name: None if isinstance(it, float) and not math.isfinite(it) else it
            for name, it in fields.items()
        }
        line = msgspec.json.encode({"kind": kind, **known}).decode()
        try:
            print(line, file=self._output, flush=True)
        except BrokenPipeError:
            # Whatever else is written, at the interpreter's end too, goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._output.fileno())
            signal.raise_signal(signal.SIGTERM)
