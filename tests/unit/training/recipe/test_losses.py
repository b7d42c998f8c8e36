"""The loss behind a frozen output map is plain cross entropy, however it is cut."""

from types import SimpleNamespace

import pytest

from tests.train_extra import torch
from training.recipe.losses import FrozenHeadLoss, Head, head_of

COUNT, WIDTH, VOCABULARY = 7, 12, 30


@pytest.fixture
def linear() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(WIDTH, VOCABULARY, bias=False).requires_grad_(requires_grad=False)


def drawn(count: int = COUNT) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    states = torch.randn(count, WIDTH, requires_grad=True)
    return states, torch.randint(VOCABULARY, (count,)), torch.rand(count)


@pytest.mark.parametrize("chunk", [*range(1, COUNT + 1), 100])
@pytest.mark.parametrize("cap", [None, 0.7])
def test_loss_and_gradient_are_those_of_plain_cross_entropy(
    linear: torch.nn.Linear, chunk: int, cap: float | None
) -> None:
    states, targets, weights = drawn()
    logits = linear(states)
    logits = logits if cap is None else torch.tanh(logits / cap) * cap
    plain = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    (expected,) = torch.autograd.grad((plain * weights).sum() * 3, states)
    total, each = FrozenHeadLoss.apply(states, targets, weights, Head(linear, chunk, cap))
    (gradient,) = torch.autograd.grad(total * 3, states)
    assert torch.allclose(each, plain, atol=1e-6)
    assert torch.allclose(total, (plain * weights).sum(), rtol=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert not each.requires_grad


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_a_part_of_the_targets_is_what_the_base_says(linear: torch.nn.Linear, chunk: int) -> None:
    states, targets, weights = drawn()
    base, head = torch.randn(COUNT, WIDTH), Head(linear, chunk, 0.7)
    said, truth = head(base).softmax(-1), torch.eye(VOCABULARY)[targets]
    near = -((0.7 * truth + 0.3 * said) * head(states).log_softmax(-1)).sum(-1)
    (expected,) = torch.autograd.grad((near * weights).sum(), states)
    total, each = FrozenHeadLoss.apply(states, targets, weights, head, base, 0.3)
    (gradient,) = torch.autograd.grad(total, states)
    assert torch.allclose(total, (near * weights).sum(), rtol=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-6)
    plain = torch.nn.functional.cross_entropy(head(states), targets, reduction="none")
    assert torch.allclose(each, plain, atol=1e-6)  # what is told is comparable


def test_nothing_to_learn_costs_nothing(linear: torch.nn.Linear) -> None:
    states, targets, weights = drawn(0)
    total, each = FrozenHeadLoss.apply(states, targets, weights, Head(linear, 4))
    total.backward()
    assert float(total.detach()) == each.numel() == states.grad.numel() == 0


def test_no_gradient_is_computed_where_none_is_wanted(linear: torch.nn.Linear) -> None:
    states, targets, weights = drawn()
    graphs = []
    linear.register_forward_hook(lambda _module, _given, logits: graphs.append(logits.grad_fn))
    with torch.no_grad():
        measured = states * 1
        total, _ = FrozenHeadLoss.apply(measured, targets, weights, Head(linear, 4))
    assert graphs == [None, None]
    learning, _ = FrozenHeadLoss.apply(states, targets, weights, Head(linear, 4))
    assert graphs[-1] is not None
    assert torch.equal(total, learning)


def test_the_head_is_the_models_with_its_cap(linear: torch.nn.Linear) -> None:
    config = SimpleNamespace(vocab_size=VOCABULARY, final_logit_softcapping=0.5)
    head = head_of(SimpleNamespace(lm_head=linear, config=config))
    states, _, _ = drawn()
    assert torch.allclose(head(states), torch.tanh(linear(states) / 0.5) * 0.5)
    assert head.chunk * VOCABULARY <= 2**24
