"""One answer, step by step: reuse the KV cache, prefill in chunks, then a token at a time.

A generation is a generator that pauses after every ``llama_decode``, so that whoever drives it can
stop it, or let somebody more urgent go first, within one chunk.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ..prompt.pieces import PieceIndex
from .answer import AnswerText
from .forward import Forward
from .holding import Held
from .llama import Adapter, Context, Logits, Vocabulary
from .sampling import Sampler, Sampling, log_sum_exp, top_logprobs
from .sequences import AdapterKey, Sequence, SequencePool, shared_prefix


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """A LoRA adapter in memory; ``identity`` is new at every load, so KV never outlives it.

    ``size`` is in bytes.
    """

    name: str
    adapter: Adapter
    scale: float
    identity: int
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Work:
    """What one generation does, in tokens.

    ``required`` is text that the answer must begin with (token healing) and that is not returned;
    where an answer is scored, the same text begins at ``score_from``.
    ``echo`` is the prompt as its sender wrote it.
    ``logprobs`` is the number of alternatives wanted per token, or None. ``score_prompt`` asks for
    the log-probabilities of the prompt itself, from its token ``score_from`` on; ``ended`` says
    that its last token is one that ends an answer. ``max_ms`` ends the answer at the first newline
    after that many milliseconds of generating. ``hold_ms`` is how long text inside a line may wait
    for what follows it. ``one_line`` ends the answer with the token that completes its first line
    of text.
    """

    tokens: list[int]
    max_tokens: int
    sampling: Sampling
    required: bytes = b""
    stops: tuple[str, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    ignore_ends: bool = False
    logprobs: int | None = None
    score_prompt: bool = False
    score_from: int = 0
    ended: bool = False
    adapters: tuple[LoadedAdapter, ...] = ()
    cache_key: str = ""
    indent: int = 0
    max_ms: float = 0.0
    hold_ms: float = 0.0
    one_line: bool = False
    echo: str = ""

    @property
    def adapter_key(self) -> AdapterKey:
        return tuple((entry.identity, entry.scale) for entry in self.adapters)


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token's natural-log probability, and its likeliest alternatives."""

    token: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True)
class Timings:
    """What an answer cost; milliseconds and token counts, named as llama.cpp's server does."""

    queue_ms: float = 0.0
    cache_n: int = 0
    prompt_n: int = 0
    prompt_ms: float = 0.0
    predicted_n: int = 0
    predicted_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that is certain, the tokens that were generated since the last delta, and what the
    answer has cost so far.
    """

    text: str
    timings: Timings
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer: ``stop`` or ``length``, as OpenAI's finish reasons; with what has been
    held back until then. ``end`` is the token by which the model ended it itself, if it did.
    """

    reason: str
    timings: Timings
    text: str = ""
    scores: tuple[TokenScore, ...] = ()
    end: TokenScore | None = None


@dataclass(frozen=True, slots=True)
class PromptScored:
    """The prompt's own scores, before any delta: one per token that was asked for. The prompt's
    very first token has no figure.
    """

    scores: tuple[TokenScore, ...]


Event = PromptScored | Delta | Finished
Emit = Callable[[Event], None]


@dataclass(slots=True)
class Lane:
    """A context with its sequences; one generation at a time runs in it."""

    context: Context
    pool: SequencePool = field(init=False)

    def __post_init__(self) -> None:
        self.pool = SequencePool(self.context.sequences)


class Generation:
    """One piece of work in one lane."""

    def __init__(self, work: Work, vocabulary: Vocabulary, index: PieceIndex, emit: Emit) -> None:
        self._work = work
        self._vocabulary = vocabulary
        self._index = index
        self._emit = emit
        self._timings = Timings()

    def run(self, lane: Lane, *, queued_ms: float = 0.0) -> Iterator[None]:
        """Do the work, pausing after every decode; closing the iterator abandons it."""
        self._timings.queue_ms = queued_ms
        work = self._work
        lane.context.use_adapters(tuple((entry.adapter, entry.scale) for entry in work.adapters))
        sequence = lane.pool.choose(work.adapter_key, work.cache_key, work.tokens)
        prompt_scores: list[TokenScore] = []
        yield from self._prefill(lane.context, sequence, prompt_scores)
        if work.score_prompt:
            self._emit(PromptScored(tuple(prompt_scores)))
        if work.max_tokens > 0:
            yield from self._decode(lane.context, sequence)
        else:
            self._emit(Finished("stop" if work.ended else "length", self._timings))

    def _prefill(
        self, context: Context, sequence: Sequence, scores: list[TokenScore]
    ) -> Iterator[None]:
        tokens, timings = self._work.tokens, self._timings
        # The last token is computed again even when it is cached: its logits are needed.
        shared = shared_prefix(sequence.tokens, tokens)
        # Token n is scored by the logits after token n - 1, which therefore must be computed.
        wanted = self._work.score_from if self._work.score_prompt else len(tokens) + 1
        shared = min(shared, max(wanted - 1, 0))
        kept = context.truncate(sequence.number, min(shared, len(tokens) - 1))
        del sequence.tokens[kept:]
        timings.cache_n, timings.prompt_n = kept, len(tokens) - kept
        if wanted == 0:
            scores.append(TokenScore(tokens[0], None))
        required = self._work.required if wanted else b""  # of a scored answer alone
        choices = dict(self._index.choices(required, tokens[wanted:]))
        started = time.perf_counter()
        for start in range(kept, len(tokens), context.chunk):
            chunk = tokens[start : start + context.chunk]
            scored = start + len(chunk) >= wanted
            context.decode(chunk, position=start, sequence=sequence.number, every_logit=scored)
            sequence.tokens += chunk
            if scored:
                first = max(wanted - start - 1, 0)
                following = tokens[start + first + 1 : start + 1 + len(chunk)]
                for index, token in enumerate(following, first):
                    logits = context.logits(index)
                    # What healing would choose among, where it would; else among all.
                    among = choices.get(start + index + 1 - wanted, slice(None))
                    logprob = float(logits[token]) - log_sum_exp(logits[among])
                    scores.append(self._score(logits, token, logprob))
            timings.prompt_ms = 1000 * (time.perf_counter() - started)
            if len(sequence.tokens) < len(tokens):
                # Whoever closes the request now shall know what it has cost.
                self._emit(Delta("", replace(timings, prompt_n=len(sequence.tokens) - kept)))
            yield

    def _decode(self, context: Context, sequence: Sequence) -> Iterator[None]:
        work, timings, pieces = self._work, self._timings, self._vocabulary.pieces
        sampler = Sampler(work.sampling)
        answer = AnswerText(required=work.required, stops=work.stops, indent=work.indent)
        held: Held[TokenScore] = Held(work.hold_ms)
        required, reason, end = work.required, "length", None
        ends = frozenset() if work.ignore_ends else self._vocabulary.ends | work.stop_tokens
        written = 0  # tokens that bring something new; repeating what was taken back is free
        started = time.perf_counter()
        forward = Forward(context, sequence)
        while True:
            logits = forward.logits()
            allowed = self._index.allowed(required) if required else None
            if allowed is not None and not len(allowed):
                reason = "stop"  # a vocabulary that cannot write this text: nothing to say
                break
            token, logprob = sampler.draw(logits, allowed)
            timings.predicted_n += 1
            timings.predicted_ms = 1000 * (time.perf_counter() - started)
            if token in ends:
                reason, end = "stop", self._score(logits, token, logprob)
                break
            piece = pieces[token]
            score = self._score(logits, token, logprob)
            written += len(piece) >= len(required)
            required = required[len(piece) :]
            is_due = held.add(answer.push(piece), score, timings.predicted_ms)
            late = work.max_ms and timings.predicted_ms > work.max_ms and answer.has_newline
            if answer.stopped or late or (work.one_line and answer.has_line):
                reason = "stop"
                break
            if written >= work.max_tokens or len(sequence.tokens) + 1 >= context.tokens:
                break
            if is_due:
                text, scores = held.take()
                self._emit(Delta(text, replace(timings), scores))
            if not forward.is_guessed(token):
                forward.decode(token, guesses=0 if required else work.max_tokens - written)
                yield
        text, scores = held.take()
        self._emit(Finished(reason, timings, text + answer.finish(), scores, end))

    def _score(self, logits: Logits, token: int, logprob: float) -> TokenScore:
        count = self._work.logprobs
        top = top_logprobs(logits, count) if count else []
        if top and all(token != other for other, _ in top):
            top.append((token, logprob))  # as OpenAI does: one more than asked for
        return TokenScore(token, logprob, tuple(top))
