"""OpenAI's completions over a runtime: a request becomes works, their events become an answer."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from ..errors import EngineError, EngineRequestError, TenonError
from .encode import encode, heal, prompts_of
from .generation import Event, Finished, PromptScored, Timings, TokenScore, Work
from .llama import Vocabulary
from .messages import CompletionBody
from .runtime import Lease, Runtime
from .sampling import Sampling


def works_of(body: CompletionBody, lease: Lease) -> list[Work]:
    """One piece of work per choice; raises ``EngineRequestError`` with the field's name."""
    runtime = lease.runtime
    if body.best_of is not None and body.best_of != body.n:
        raise EngineRequestError("best_of is only supported when equal to n.", param="best_of")
    adapters = lease.adapters(body.model)
    stops = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop)
    works: list[Work] = []
    for entries in prompts_of(body):
        prompt = encode(entries, runtime, suffix=body.suffix)
        tokens, required = prompt.tokens, b""
        if body.token_healing and tokens:
            tokens, required = heal(runtime, prompt)
        score_from = 0
        if body.answer is not None:
            score_from = len(tokens)
            answer = required.decode("utf-8", "replace") + body.answer
            tokens = [*tokens, *runtime.vocabulary.tokenize(answer), *_end(body, runtime)]
        runtime.check(tokens)
        works += [
            Work(
                tokens=tokens,
                max_tokens=body.max_tokens if body.answer is None else 0,
                sampling=_sampling(body, runtime, copy),
                required=required,
                stops=stops,
                stop_tokens=runtime.stop_tokens | frozenset(body.stop_token_ids),
                ignore_ends=body.ignore_eos,
                logprobs=body.logprobs,
                score_prompt=body.logprobs is not None and (body.echo or body.answer is not None),
                score_from=score_from,
                ended=body.answer is not None and body.answer_end is not None,
                adapters=adapters,
                cache_key=body.prompt_cache_key,
                hold_ms=body.hold_ms,
                one_line=body.one_line,
                echo=_echo(body, entries, runtime),
            )
            for copy in range(body.n)
        ]
    return works


async def run(
    runtime: Runtime, works: Sequence[Work], priority: int
) -> AsyncGenerator[tuple[int, Event], None]:
    """Run works and yield (index of the work, event); closing the iterator cancels them."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue()
    jobs = []
    try:
        for number, work in enumerate(works):

            def emit(event: Event | Exception, number: int = number) -> None:
                loop.call_soon_threadsafe(queue.put_nowait, (number, event))

            jobs.append(runtime.submit(work, priority=priority, emit=emit, failed=emit))
        unfinished = len(works)
        while unfinished:
            number, event = await queue.get()
            if isinstance(event, TenonError):
                raise event
            if isinstance(event, Exception):
                raise EngineError(f"The engine failed ({event}); its log has more.") from event
            unfinished -= isinstance(event, Finished)
            yield number, event
    finally:
        for job in jobs:
            job.cancelled.set()


class CompletionAnswer:
    """Collects events into OpenAI's ``text_completion``, whole or as stream chunks."""

    def __init__(self, body: CompletionBody, runtime: Runtime, works: Sequence[Work]) -> None:
        self._body = body
        self._runtime = runtime
        self._works = works
        self._identity = f"cmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._completion_tokens = 0
        self._timings: list[Timings] = []
        self._offsets = [0] * len(works)

    async def whole(self, events: AsyncIterator[tuple[int, Event]]) -> dict[str, Any]:
        """Every choice, once all have ended."""
        texts: list[list[str]] = [[] for _ in self._works]
        scores: list[list[TokenScore]] = [[] for _ in self._works]
        reasons = ["length"] * len(self._works)
        async for number, event in events:
            scores[number] += event.scores
            if not isinstance(event, PromptScored):
                texts[number].append(event.text)
            if isinstance(event, Finished):
                reasons[number] = event.reason
                self._finished(event)
            self._count(event)
        choices = []
        for number, work in enumerate(self._works):
            text = work.echo + "".join(texts[number])
            choices.append(self._choice(number, text, scores[number], reasons[number]))
        return self._envelope(choices) | self._costs()

    async def stream(
        self, events: AsyncIterator[tuple[int, Event]]
    ) -> AsyncIterator[dict[str, Any]]:
        """One object per piece of text; the last of each choice has its finish reason."""
        # With scores, the echo waits for them; without, nothing needs to be computed first.
        if self._body.echo and self._body.logprobs is None:
            for number, work in enumerate(self._works):
                yield self._envelope([self._choice(number, work.echo, [], None)])
        async for number, event in events:
            self._count(event)
            if isinstance(event, PromptScored):
                echo = self._works[number].echo
                yield self._envelope([self._choice(number, echo, event.scores, None)])
            elif isinstance(event, Finished):
                self._finished(event)
                ends = (event.end,) if event.end else ()
                choice = self._choice(number, event.text, event.scores + ends, event.reason)
                yield self._envelope([choice]) | {"timings": timings_of([event.timings])}
            elif event.text or event.scores:
                chunk = self._envelope([self._choice(number, event.text, event.scores, None)])
                if self._body.timings_per_token:
                    chunk["timings"] = timings_of([event.timings])
                yield chunk
        if self._body.stream_options.include_usage:
            yield self._envelope([]) | self._costs()

    def _count(self, event: Event) -> None:
        if not isinstance(event, PromptScored):
            self._completion_tokens += len(event.scores)

    def _finished(self, event: Finished) -> None:
        self._timings.append(event.timings)

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._identity,
            "object": "text_completion",
            "created": self._created,
            "model": self._body.model or self._runtime.served.name,
            "choices": choices,
        }

    def _choice(
        self, number: int, text: str, scores: Sequence[TokenScore], reason: str | None
    ) -> dict[str, Any]:
        logprobs = None
        if self._body.logprobs is not None and (scores or reason is None):
            logprobs, self._offsets[number] = logprobs_of(
                scores, self._runtime.vocabulary, self._offsets[number]
            )
        return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": reason}

    def _costs(self) -> dict[str, Any]:
        prompt = sum(len(work.tokens) for work in self._works[:: self._body.n])
        return {
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": self._completion_tokens,
                "total_tokens": prompt + self._completion_tokens,
                "prompt_tokens_details": {
                    "cached_tokens": sum(timings.cache_n for timings in self._timings)
                },
            },
            "timings": timings_of(self._timings),
        }


def logprobs_of(
    scores: Sequence[TokenScore], vocabulary: Vocabulary, offset: int
) -> tuple[dict[str, Any], int]:
    """OpenAI's ``logprobs`` object, and the text offset after its last token."""
    texts, offsets, pending = [], [], b""
    for score in scores:
        texts.append(_name(vocabulary, score.token))
        offsets.append(offset)
        # A character may be spread over tokens: it counts where its last byte comes.
        pending += vocabulary.piece(score.token)
        try:
            offset += len(pending.decode())
        except UnicodeDecodeError:
            continue
        pending = b""
    logprobs = {
        "tokens": texts,
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [
            {_name(vocabulary, token): logprob for token, logprob in score.top} or None
            for score in scores
        ],
        "text_offset": offsets,
    }
    return logprobs, offset


def timings_of(timings: Sequence[Timings]) -> dict[str, float]:
    """The sum of what several answers cost, with llama.cpp's derived figures."""
    names = Timings.__slots__
    figures = {name: sum(getattr(entry, name) for entry in timings) for name in names}
    for part in ("prompt", "predicted"):
        count, spent = figures[f"{part}_n"], figures[f"{part}_ms"]
        figures[f"{part}_per_token_ms"] = spent / count if count else 0.0
        figures[f"{part}_per_second"] = 1000 * count / spent if spent else 0.0
    return figures


def _sampling(body: CompletionBody, runtime: Runtime, copy: int) -> Sampling:
    if any(not 0 <= token < runtime.vocabulary.size for token in body.logit_bias):
        raise EngineRequestError("logit_bias names an unknown token.", param="logit_bias")
    return Sampling(
        body.temperature,
        body.top_p,
        body.top_k,
        body.min_p,
        body.presence_penalty,
        body.frequency_penalty,
        body.logit_bias,
        None if body.seed is None else body.seed + copy,
    )


def _end(body: CompletionBody, runtime: Runtime) -> list[int]:
    """The token that ends a scored answer, if one is asked for.

    Only one that ends generated answers, too: any other's probability says nothing of stopping.
    """
    if body.answer_end is None:
        return []
    if body.answer_end not in runtime.vocabulary.ends | runtime.stop_tokens:
        raise EngineRequestError(
            f"Token {body.answer_end} ends no answer of {runtime.served.name}.", param="answer_end"
        )
    return [body.answer_end]


def _echo(body: CompletionBody, entries: Sequence[str | int], runtime: Runtime) -> str:
    """What stands before the text that is generated."""
    if body.answer is not None:
        return body.answer
    return _written(entries, runtime) if body.echo else ""


def _written(entries: Sequence[str | int], runtime: Runtime) -> str:
    """A prompt as its sender wrote it, token ids as their text."""
    detokenize = runtime.vocabulary.detokenize
    if all(isinstance(entry, int) for entry in entries):
        return detokenize([entry for entry in entries if isinstance(entry, int)])
    return "".join(entry if isinstance(entry, str) else detokenize([entry]) for entry in entries)


def _name(vocabulary: Vocabulary, token: int) -> str:
    """A token's text; one that is part of a character is named by its bytes, as OpenAI does."""
    piece = vocabulary.piece(token)
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)
