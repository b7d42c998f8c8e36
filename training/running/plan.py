"""What the process that leads settles for all that train with it."""

from dataclasses import dataclass
from pathlib import Path

from lsp_server.completion.engine import EngineInfo
from lsp_server.errors import SettingsError
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.runs import Run

from ..base.tokenizer import TextTokenizer
from ..prepared import Cut, Known, Prepared
from ..recipe.config import TrainConfig
from ..served import ServedBase
from .job import Job
from .start import Start


@dataclass(frozen=True, slots=True)
class Plan:
    """``known`` is what preparation was told of the adapter that serves, and ``cut`` how it cut its
    prompts; ``material`` is the identity of what it came to.
    """

    info: EngineInfo
    model: InstalledModel
    identity: str
    known: Known | None
    start: Start
    config: TrainConfig
    run: Run
    checkpoint: Path
    cut: Cut
    material: str

    @classmethod
    def of(cls, job: Job, known: Known | None) -> "Plan":
        """The plan of a job that is about to train."""
        base = job.base
        return cls(
            base.info, base.model, base.identity, known, job.start, job.config, job.run,
            job.checkpoint, job.cut, _material(job.prepared, base.identity, job.start),
        )  # fmt: skip

    def base(self) -> ServedBase:
        """What the engine said to the one that leads; to ask again might give other budgets."""
        return ServedBase(self.info, self.model, self.identity, TextTokenizer.read(self.model.path))

    def check(self, prepared: Prepared) -> None:
        """Raises SettingsError if this process would learn from something else."""
        if _material(prepared, self.identity, self.start) != self.material:
            raise SettingsError(
                "the repository changed while its processes were reading it; run the same again"
            )


def _material(prepared: Prepared, base: str, start: Start) -> str:
    return prepared.material(base, start.id or "").identity
