"""One model being served: its contexts, its adapters, its measured speed, and the thread for it."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..cores import physical_cores
from ..errors import EngineRequestError
from ..prompt.formats import PLAIN, FimFormat
from ..prompt.pieces import PieceIndex
from .adapters import AdapterShelf
from .generation import Event, Generation, Lane, LoadedAdapter, Timings, Work
from .llama import Backend, Context, Model
from .scheduler import Job, Scheduler
from .threads import ThreadChoice

INTERACTIVE_CHUNK = 64
"""Most tokens between two looks at whether the user still wants the answer."""
BACKGROUND_CHUNK = 32
"""Background work gives way after this many."""
DEFAULT_CONTEXT = 4096
ADAPTER_MEMORY = 1024 * 2**20
"""Bytes: a hundred adapters of the starter, or some dozen of a model of 7B."""
LEARNING_RATE = 0.2
MIN_DECODED = 8
"""Fewer tokens say little about the speed of decoding."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a model is served; 0 means: chosen for this machine.

    ``adapter_memory`` is how many bytes of adapters may stay loaded that nobody uses.
    """

    gpu_layers: int = -1
    threads: int = 0
    context: int = 0
    sequences: int = 4
    adapter_memory: int = ADAPTER_MEMORY


@dataclass(frozen=True, slots=True)
class Served:
    """What a model file is called and how it is asked to fill in the middle.

    ``least_confidence`` is as in :class:`lsp_server.store.catalogue.CatalogueEntry`.
    """

    name: str
    path: Path
    fim: FimFormat = PLAIN
    sha256: str = ""
    least_confidence: float | None = None


class Runtime:
    """A loaded model that generates; replaced as a whole when another model is chosen."""

    def __init__(self, backend: Backend, served: Served, options: RuntimeOptions) -> None:
        """Load and measure; raises ``CorruptModelError`` or ``EngineError``, and leaks nothing."""
        self.served = served
        with ExitStack() as undo:
            self._offloads = backend.offloads
            self.model = Model.load(backend, served.path, gpu_layers=options.gpu_layers)
            undo.callback(self.model.close)
            self.vocabulary = self.model.vocabulary
            self.index = PieceIndex(self.vocabulary.pieces)
            self.context = min(options.context or DEFAULT_CONTEXT, self.model.context_length)
            self._interactive = self._lane(undo, options, options.sequences, INTERACTIVE_CHUNK)
            # Background work scores one span at a time, so it has one sequence.
            self._background = self._lane(undo, options, 1, BACKGROUND_CHUNK)
            self._scheduler = Scheduler(self._interactive, self._background)
            undo.callback(self._scheduler.close)
            # On the thread that will compute, and on no other: OpenMP keeps a team for every thread
            # that ever computed, and with more of them than cores it stops spinning at barriers.
            # Measured from the main thread, every later decode took 3 times as long.
            self.prefill_speed, self.decode_speed = self._scheduler.computed(
                partial(_measure, self._interactive, self.vocabulary.size)
            )
            self.stop_tokens = frozenset(
                token for text in served.fim.stops if (token := self.special(text)) is not None
            )
            undo.pop_all()
        self.adapters = AdapterShelf(self.model, self._free, capacity=options.adapter_memory)

    def _lane(self, undo: ExitStack, options: RuntimeOptions, sequences: int, chunk: int) -> Lane:
        context = Context(
            self.model,
            tokens=self.context,
            sequences=sequences,
            chunk=chunk,
            threads=options.threads or _threads(gpu=self._offloads),
        )
        undo.callback(context.close)
        return Lane(context)

    def special(self, text: str) -> int | None:
        """The id of a control token by its exact text."""
        return self.vocabulary.texts.get(text)

    def check(self, tokens: Sequence[int]) -> None:
        """Raise ``EngineRequestError`` for a prompt that cannot be computed."""
        if not tokens:
            raise EngineRequestError("The prompt is empty.", param="prompt")
        if len(tokens) >= self.context:
            raise EngineRequestError(
                f"This model's maximum context length is {self.context} tokens, but the prompt has "
                f"{len(tokens)}. Send less, or raise the engine's --context.",
                param="prompt",
            )

    def submit(
        self,
        work: Work,
        *,
        priority: int,
        emit: Callable[[Event], None],
        failed: Callable[[Exception], None],
    ) -> Job:
        """Queue work; ``emit`` and ``failed`` are called on the computing thread."""
        job = Job(Generation(work, self.vocabulary, self.index, emit), priority, failed)
        self._scheduler.submit(job)
        return job

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

    @property
    def is_alive(self) -> bool:
        """Whether anything can still be computed."""
        return self._scheduler.is_alive

    def close(self) -> None:
        """Abandon what runs and free all memory."""
        self._scheduler.close()
        for lane in (self._interactive, self._background):
            lane.context.close()
        self.adapters.close()
        self.model.close()

    def _free(self, loaded: LoadedAdapter) -> None:
        """Free an adapter that nobody can reach, between two decodes."""

        def free() -> None:
            for lane in (self._interactive, self._background):
                lane.context.drop_adapter(loaded.adapter)
                lane.pool.forget(loaded.identity)
            loaded.adapter.close()

        self._scheduler.between_steps(free)


class Lease:
    """One request's hold on a runtime: neither it nor a pinned adapter is freed before the end.

    Made and released on the event loop's thread; a long prompt's adapters are pinned on the thread
    that encodes it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._pinned: list[LoadedAdapter] = []

    def adapters(self, model: str) -> tuple[LoadedAdapter, ...]:
        """What a request's ``model`` asks for: the base alone, or an adapter of that name.

        Raises ``EngineRequestError`` (404, ``model``) if there is neither.
        """
        if model in {"", self.runtime.served.name}:
            return ()
        adapter = self.runtime.adapters.pin(model)
        if adapter is None:
            raise EngineRequestError(
                f"The model `{model}` does not exist.", status=404, param="model"
            )
        self._pinned.append(adapter)
        return (adapter,)

    def release(self) -> None:
        """Let go of the adapters."""
        while self._pinned:
            self.runtime.adapters.unpin(self._pinned.pop())


def _threads(*, gpu: bool) -> int | ThreadChoice:
    """With a GPU, threads only hand out its work."""
    return physical_cores() if gpu else ThreadChoice.up_to(physical_cores(), time.perf_counter)


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
