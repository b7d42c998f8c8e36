"""A low-rank difference to every linear map of a Llama, trained at the price of full weights.

``W + B @ A`` is computed once per step for all layers together, and the model runs on the sums. A
step of 65,000 tokens makes that product free, where adding ``B(Ax)`` beside every map would cost
two more products a map and token.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .llama import LINEARS, LlamaWeights

Q4_0_BLOCK = 32
FEED_FORWARD = ("ffn_gate", "ffn_up", "ffn_down")


class LowRank(nn.Module):
    """``A[name]`` (layers, r, in) and ``B[name]`` (layers, out, r), and new embedding rows.

    ``rows`` (k, width) replace the embedding at the ids ``row_ids``: control tokens that the base
    never trained share one vector, and would be the same token to the model.
    """

    row_ids: Tensor

    def __init__(
        self,
        base: LlamaWeights,
        row_ids: Sequence[int],
        *,
        attention_rank: int,
        feed_forward_rank: int,
        seed: int,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.A = nn.ParameterDict()
        self.B = nn.ParameterDict()
        for name in LINEARS:
            layers, outputs, inputs = base.linears[name].shape
            rank = feed_forward_rank if name in FEED_FORWARD else attention_rank
            self.A[name] = nn.Parameter(normal(layers, rank, inputs) / inputs**0.5)
            self.B[name] = nn.Parameter(torch.zeros(layers, outputs, rank))
        width = base.embedding.shape[1]
        length = float(base.embedding.norm(dim=1).median())
        self.rows = nn.Parameter(normal(len(row_ids), width) * length / width**0.5)
        self.register_buffer("row_ids", torch.tensor(list(row_ids)))

    @torch.no_grad()
    def load(self, factors: Mapping[str, tuple[Tensor, Tensor]], rows: Tensor) -> None:
        """Go on from an artefact's factors, by map name, and embedding rows.

        Raises ValueError for factors of another shape.
        """
        for name, (down, up) in factors.items():
            _fill(self.A[name], down)
            _fill(self.B[name], up)
        _fill(self.rows, rows)

    def linears(
        self, base: LlamaWeights, dtype: torch.dtype, *, rounded: bool
    ) -> dict[str, Tensor]:
        """``W + B @ A`` of every map, stacked over the layers; ``rounded`` to what Q4_0 can say."""
        sums = {
            name: torch.baddbmm(base.linears[name], self.B[name], self.A[name]) for name in LINEARS
        }
        if rounded:
            sums = {name: straight_through(weight) for name, weight in sums.items()}
        return {name: weight.to(dtype) for name, weight in sums.items()}

    def embed(self, embedding: Tensor, tokens: Tensor) -> Tensor:
        """Embed tokens (B, T) with the new rows in place -> (B, T, width)."""
        states = nn.functional.embedding(tokens, embedding)
        which = (tokens[..., None] == self.row_ids).to(states.dtype)
        # A product with one-hot vectors: its gradient is a product too, where indexing would
        # scatter every token's gradient onto a few rows.
        return states * (1 - which.sum(-1, keepdim=True)) + which @ self.rows.to(states.dtype)

    def output(self, embedding: Tensor) -> Tensor:
        """The tied output map with the new rows; they learn from their use as inputs alone."""
        return embedding.index_copy(0, self.row_ids, self.rows.detach().to(embedding.dtype))


def _fill(parameter: Tensor, values: Tensor) -> None:
    """Copy without broadcasting, which would take one row for all."""
    if parameter.shape != values.shape:
        raise ValueError(f"a factor is {tuple(values.shape)}, not {tuple(parameter.shape)}")
    parameter.copy_(values)


def straight_through(weight: Tensor) -> Tensor:
    """Weights as Q4_0 rounds them, with the gradient of the weights as they are.

    So the model learns to be right after the rounding that it will be served with.
    """
    return weight + (rounded_q4_0(weight.detach()) - weight.detach())


def rounded_q4_0(weight: Tensor) -> Tensor:
    """What ggml's Q4_0 makes of weights: 32 neighbours share a scale, their largest is -8 of it."""
    blocks = weight.unflatten(-1, (-1, Q4_0_BLOCK))
    extreme = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = extreme / -8
    inverse = torch.where(scale == 0, 0.0, 1 / scale)
    steps = (blocks * inverse + 8.5).floor().clamp(0, 15) - 8
    return (steps * scale.half().float()).flatten(-2)
