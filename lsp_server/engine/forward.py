"""An answer's tokens on their way into a sequence, with guesses decoded beside them."""

from .llama import Context, Logits
from .lookup import Lookup
from .sequences import Sequence


class Forward:
    """Appends one token after the other; what it guessed right need not be computed.

    After a wrong guess the sequence's KV cache holds more than its tokens; whoever goes on with
    the sequence cuts it to them first.
    """

    def __init__(self, context: Context, sequence: Sequence) -> None:
        """The sequence's tokens have just been decoded."""
        self._context = context
        self._sequence = sequence
        self._known = Lookup(sequence.tokens) if context.cuts_freely else None
        self._guessed: list[int] = []
        """Tokens that were decoded behind the sequence's last one."""

    def logits(self) -> Logits:
        """Scores of the next token; a view that the next step may overwrite."""
        return self._context.logits(-1 - len(self._guessed))

    def is_guessed(self, token: int) -> bool:
        """Whether ``token`` has been decoded as the next one; if so, it is appended."""
        if self._known is not None:
            self._known.add(token)
        is_right = self._guessed[:1] == [token]
        if is_right:
            del self._guessed[0]
            self._sequence.tokens.append(token)
        return is_right

    def decode(self, token: int, *, guesses: int) -> None:
        """Compute and append ``token``, with at most so many guesses behind it."""
        context, sequence = self._context, self._sequence
        end = len(sequence.tokens)
        if self._guessed:
            context.truncate(sequence.number, end)
        most = min(guesses, context.tokens - end - 2, context.chunk - 1)
        self._guessed = self._known.guess(most) if self._known is not None else []
        context.decode(
            [token, *self._guessed],
            position=end,
            sequence=sequence.number,
            every_logit=bool(self._guessed),
        )
        sequence.tokens.append(token)
