"""One model being served: its contexts, its adapters, its measured speed, and the thread for it."""

import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..errors import EngineRequestError
from ..prompt.formats import PLAIN, FimFormat
from .generation import Event, Generation, Lane, LoadedAdapter, Timings, Work
from .healing import PieceIndex
from .llama import Adapter, Backend, Context, Model
from .scheduler import Job, Scheduler

INTERACTIVE_CHUNK = 64
"""Most tokens between two looks at whether the user still wants the answer."""
BACKGROUND_CHUNK = 32
"""Background work gives way after this many."""
DEFAULT_CONTEXT = 4096
LEARNING_RATE = 0.2
MIN_DECODED = 8
"""Fewer tokens say little about the speed of decoding."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a model is served; 0 means: chosen for this machine."""

    gpu_layers: int = -1
    threads: int = 0
    context: int = 0
    sequences: int = 4


@dataclass(frozen=True, slots=True)
class Served:
    """What a model file is called and how it is asked to fill in the middle."""

    name: str
    path: Path
    fim: FimFormat = PLAIN
    sha256: str = ""


class Runtime:
    """A loaded model that generates; replaced as a whole when another model is chosen."""

    def __init__(self, backend: Backend, served: Served, options: RuntimeOptions) -> None:
        """Load and measure; raises ``CorruptModelError`` or ``EngineError``."""
        self.served = served
        self.model = Model.load(backend, served.path, gpu_layers=options.gpu_layers)
        self.vocabulary = self.model.vocabulary
        self.index = PieceIndex(self.vocabulary.pieces)
        self.context = min(options.context or DEFAULT_CONTEXT, self.model.context_length)
        threads = options.threads or physical_cores()
        # The background lane scores at most one span at a time, so it has one sequence.
        self._interactive = Lane(
            Context(
                self.model,
                tokens=self.context,
                sequences=options.sequences,
                chunk=INTERACTIVE_CHUNK,
                threads=threads,
            )
        )
        self._background = Lane(
            Context(
                self.model,
                tokens=self.context,
                sequences=1,
                chunk=BACKGROUND_CHUNK,
                threads=threads,
            )
        )
        self._adapters: dict[str, LoadedAdapter] = {}
        self._users: dict[int, int] = {}
        self._retired: dict[int, Adapter] = {}
        self._identities = itertools.count(1)
        self._lock = threading.Lock()
        self.prefill_speed, self.decode_speed = _measure(self._interactive, self.vocabulary.size)
        self._scheduler = Scheduler(self._interactive, self._background)
        self.stop_tokens = frozenset(
            token for text in served.fim.stops if (token := self.special(text)) is not None
        )

    def special(self, text: str) -> int | None:
        """The id of a control token by its exact text."""
        return self.vocabulary.texts.get(text)

    @property
    def adapters(self) -> dict[str, LoadedAdapter]:
        """A copy of what is loaded, by name."""
        with self._lock:
            return dict(self._adapters)

    def load_adapter(self, name: str, path: Path, scale: float, *, replace: bool = False) -> None:
        """Load a LoRA file, beside the generations that run; raises ``EngineRequestError``."""
        if name == self.served.name:
            raise EngineRequestError(f"'{name}' is the base model's name.", param="lora_name")
        if not replace and name in self.adapters:
            raise EngineRequestError(
                f"The lora adapter '{name}' has already been loaded.", param="lora_name"
            )
        if not path.is_file():
            raise EngineRequestError(f"There is no file {path}.", status=404, param="lora_path")
        adapter = Adapter(self.model, path)
        loaded = LoadedAdapter(name, adapter, scale, next(self._identities), str(path))
        with self._lock:
            old = self._adapters.get(name)
            self._adapters[name] = loaded
        if old:
            self._retire(old)

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter; answers that began with it still end with it."""
        with self._lock:
            old = self._adapters.pop(name, None)
        if old is None:
            raise EngineRequestError(
                f"The lora adapter '{name}' cannot be found.", status=404, param="lora_name"
            )
        self._retire(old)

    def submit(
        self,
        work: Work,
        *,
        priority: int,
        emit: Callable[[Event], None],
        failed: Callable[[Exception], None],
    ) -> Job:
        """Queue work; ``emit`` and ``failed`` are called on the computing thread."""
        self._check(work)
        with self._lock:
            for entry in work.adapters:
                self._users[entry.identity] = self._users.get(entry.identity, 0) + 1
        job = Job(Generation(work, self.vocabulary, self.index, emit), priority, failed)
        self._scheduler.submit(job)
        return job

    def release(self, work: Work) -> None:
        """Say that a submitted piece of work is over, however it ended."""
        with self._lock:
            for entry in work.adapters:
                self._users[entry.identity] -= 1
        if work.adapters:
            self._scheduler.between_steps(self._free_retired)

    def observe(self, timings: Timings) -> None:
        """Learn this machine's speed from an answer: what was measured at the start may have been
        measured while the machine was busy.
        """
        if timings.prompt_n >= INTERACTIVE_CHUNK:
            seen = 1000 * timings.prompt_n / timings.prompt_ms
            self.prefill_speed += LEARNING_RATE * (seen - self.prefill_speed)
        if timings.predicted_n >= MIN_DECODED:
            seen = 1000 * timings.predicted_n / timings.predicted_ms
            self.decode_speed += LEARNING_RATE * (seen - self.decode_speed)

    @property
    def depth(self) -> int:
        """Generations that wait or run."""
        return self._scheduler.depth

    def close(self) -> None:
        """Abandon what runs and free all memory."""
        self._scheduler.close()
        for lane in (self._interactive, self._background):
            lane.context.close()
        for adapter in [entry.adapter for entry in self._adapters.values()]:
            adapter.close()
        for adapter in self._retired.values():
            adapter.close()
        self.model.close()

    def _check(self, work: Work) -> None:
        if not work.tokens:
            raise EngineRequestError("The prompt is empty.", param="prompt")
        if len(work.tokens) >= self.context:
            raise EngineRequestError(
                f"This model's maximum context length is {self.context} tokens, but the prompt has "
                f"{len(work.tokens)}. Send less, or raise the engine's --context.",
                param="prompt",
            )

    def _retire(self, adapter: LoadedAdapter) -> None:
        with self._lock:
            self._retired[adapter.identity] = adapter.adapter
        self._scheduler.between_steps(self._free_retired)

    def _free_retired(self) -> None:
        """Free what nobody uses any more; runs on the computing thread, between decodes."""
        with self._lock:
            free = [identity for identity in self._retired if not self._users.get(identity)]
            adapters = [(identity, self._retired.pop(identity)) for identity in free]
        for identity, adapter in adapters:
            self._users.pop(identity, None)
            for lane in (self._interactive, self._background):
                lane.context.drop_adapter(adapter)
                lane.pool.forget(identity)
            adapter.close()


def physical_cores() -> int:
    """Cores that help: hyper-threads only slow llama.cpp down."""
    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def _measure(lane: Lane, vocabulary: int) -> tuple[float, float]:
    """Prefill and decode speed in tokens per second, from well under a second of work.

    The best of a few: whatever else runs on the machine only ever makes a measurement worse. The
    first decode is thrown away: it pays for page faults and graph allocation.
    """
    context, chunk = lane.context, lane.context.chunk
    tokens = [1 + index % (vocabulary - 1) for index in range(chunk)]
    context.decode(tokens[:2], position=0, sequence=0)
    prefill = min(_seconds(context, tokens, position=0) for _ in range(2))
    decode = min(_seconds(context, tokens[:1], position=chunk) for _ in range(6))
    context.truncate(0, 0)
    return chunk / prefill, 1 / decode


def _seconds(context: Context, tokens: list[int], *, position: int) -> float:
    context.truncate(0, position)
    started = time.perf_counter()
    context.decode(tokens, position=position, sequence=0)
    return time.perf_counter() - started
