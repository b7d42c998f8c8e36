"""What an answer is worth, as pure functions of texts and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from rapidfuzz.distance import Levenshtein


def first_line(text: str) -> str:
    """The first line that has any text, stripped; "" if there is none."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def exact_first_line(answer: str, middle: str) -> bool:
    """Whether the answer's first line with text is the middle's, but for white space around it.

    For data sets that take out a line, this is the published metric, whether they took the line
    breaks with it or not, and whatever the model wrote behind that line.
    """
    return first_line(answer) == first_line(middle)


def exact(answer: str, middle: str) -> bool:
    """Whether the whole answer, as the model ended it, is the middle, but for white space around
    it.
    """
    return answer.strip() == middle.strip()


def edit_similarity(answer: str, middle: str) -> float:
    """1 - Levenshtein distance / the longer length, of the first lines with text; 1 if equal."""
    return Levenshtein.normalized_similarity(first_line(answer), first_line(middle))


def pass_at(samples: int, passed: int, k: int) -> float:
    """The unbiased estimate of the chance that one of ``k`` samples passes.

    Chen et al. 2021 (the HumanEval paper), equation 1; ``k`` is at most ``samples``.
    """
    return 1 - comb(samples - passed, k) / comb(samples, k)


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample: its text, whether the model ended it by itself, and whether its tests passed.

    ``stopped`` is None where the end is not the model's to tell, ``passed`` where nothing was run.
    ``confidence`` is how sure the model was of its first line with text, see
    :func:`lsp_server.completion.confidence.log_probability`.
    """

    text: str
    stopped: bool | None
    passed: bool | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One example's samples; ``logprob`` is the sum over the ``tokens`` of the true middle.

    ``ms`` is the time that generating and scoring took.
    """

    id: str
    middle: str
    answers: tuple[Answer, ...]
    logprob: float = 0.0
    tokens: int = 0
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over all examples; of an example's samples the mean counts. None: not measured.

    ``exact_match`` and ``edit_similarity`` are of the first line with text,
    ``exact_match_untruncated`` of the whole answer. ``stop_rate`` is the share of answers that the
    model ended by a control token; functions, which are cut where they end, do not count. ``nll``
    is the mean negative log-likelihood of the true middles' tokens, in nats, each token counting
    alike; the token that would end the middle is not among them, because which one it is differs
    between families, nor is a middle that does not fit the engine's context. Where token healing
    takes back the end of the prompt, the tokens that repeat it count, each among those that
    healing chooses from. ``pass_at_k`` is for ``k`` = the number of samples.
    """

    n: int
    exact_match: float | None
    exact_match_untruncated: float | None
    edit_similarity: float | None
    stop_rate: float | None
    nll: float | None
    pass_at_1: float | None
    pass_at_k: float | None


def summarise(results: Sequence[Result]) -> Summary:
    """The figures of a run, however far it got."""
    samples = max((len(result.answers) for result in results), default=0)
    tokens = sum(result.tokens for result in results)
    judged = [
        (len(result.answers), sum(answer.passed is True for answer in result.answers))
        for result in results
        if result.answers and all(answer.passed is not None for answer in result.answers)
    ]

    def over_answers(worth: Sequence[Sequence[float]]) -> float | None:
        return _mean([sum(each) / len(each) for each in worth if each])

    return Summary(
        n=len(results),
        exact_match=over_answers(
            [[exact_first_line(a.text, r.middle) for a in r.answers] for r in results]
        ),
        exact_match_untruncated=over_answers(
            [[exact(a.text, r.middle) for a in r.answers] for r in results]
        ),
        edit_similarity=over_answers(
            [[edit_similarity(a.text, r.middle) for a in r.answers] for r in results]
        ),
        stop_rate=over_answers(
            [[a.stopped for a in r.answers if a.stopped is not None] for r in results]
        ),
        nll=-sum(result.logprob for result in results) / tokens if tokens else None,
        pass_at_1=_mean([pass_at(n, passed, 1) for n, passed in judged]),
        pass_at_k=_mean([pass_at(n, passed, samples) for n, passed in judged if n == samples])
        if samples > 1
        else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
