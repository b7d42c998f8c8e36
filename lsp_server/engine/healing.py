"""Token healing in the engine: what is kept of a prompt, and what its answer must begin with."""

from collections.abc import Sequence

from ..prompt.healing import MAX_TOKENS, tokens_to_take_back


def take_back(tokens: list[int], boundary: int, pieces: Sequence[bytes]) -> tuple[list[int], bytes]:
    """Split a prompt into what is kept and the text that the answer must begin with.

    ``boundary`` is the index of the first token that may be taken back: the control tokens and
    the texts before the last one are not touched.
    """
    tail = tokens[max(boundary, len(tokens) - MAX_TOKENS) :]
    count = tokens_to_take_back([pieces[token] for token in tail])
    if not count:
        return tokens, b""
    return tokens[:-count], b"".join(pieces[token] for token in tokens[-count:])
