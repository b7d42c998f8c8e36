import pytest
from gguf import GGUFReader

from tests.tiny_llama import TOKENS, write_llama
from tests.train_extra import torch
from training.starter import model as training_model
from training.starter.llama import document_mask, read_llama
from training.starter.lowrank import LowRank
from training.starter.model import Model, token_losses


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = write_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")
    sizes, weights = read_llama(path, GGUFReader(path))
    adapter = LowRank(weights, [3, 9], attention_rank=4, feed_forward_rank=4, seed=1)
    return Model(sizes, weights, adapter, dtype=torch.float32, compiled=False)


def batch(seed: int = 1):
    """Two rows of two documents each."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(3, len(TOKENS), (2, 2, 12), generator=generator)
    documents = torch.tensor([[1] * 5 + [2] * 7, [1] * 9 + [2] * 3])
    positions = torch.tensor([[*range(5), *range(7)], [*range(9), *range(3)]])
    answers = torch.rand((2, 12), generator=generator) < 0.4
    return {
        "tokens": tokens, "targets": targets, "documents": documents, "positions": positions,
        "answers": answers,
    }  # fmt: skip


def test_a_loss_is_the_cross_entropy_of_the_target(model: Model):
    entry = batch()
    losses = model.losses(entry)
    assert losses.shape == (2, 12)
    assert losses.dtype == torch.float32
    mask = document_mask(entry["documents"])
    states = model.states(entry["tokens"], entry["positions"], mask)
    logits = states @ model._adapter.output(model._embedding).T
    chances = torch.softmax(logits, -1).gather(-1, entry["targets"][..., None])[..., 0]
    assert torch.allclose(losses, -chances.log(), atol=1e-3)


def test_losses_do_not_depend_on_how_logits_are_cut(model: Model, monkeypatch):
    whole = model.losses(batch())
    monkeypatch.setattr(training_model, "LOSS_CHUNK", 7)
    assert torch.allclose(model.losses(batch()), whole, atol=1e-5)


def test_the_answer_loss_is_the_mean_over_answers_of_all_batches(model: Model):
    batches = [batch(1), batch(2)]
    expected = torch.cat([model.losses(entry)[entry["answers"]] for entry in batches])
    assert model.answer_loss(batches) == pytest.approx(expected.mean().item(), rel=1e-5)
    assert model.answer_loss([]) == 0.0


def test_rounding_is_a_switch(model: Model):
    exact = model.losses(batch())
    model.rounded = True
    rounded = model.losses(batch())
    model.rounded = False
    assert not torch.allclose(rounded, exact, atol=1e-3)
    assert torch.equal(model.losses(batch()), exact)


def test_gradients_reach_every_factor_and_both_rows(model: Model):
    entry = batch()
    entry["tokens"][0, :2] = torch.tensor([3, 9])
    with torch.no_grad():
        for factor in model._adapter.B.values():
            factor.add_(0.05)  # at zero, nothing would reach A
    model.losses(entry).mean().backward()
    assert all(parameter.grad.any() for parameter in model._adapter.parameters())
    assert model._adapter.rows.grad.any(dim=1).all()


def test_the_loss_of_one_token():
    states, output = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 5.0]])
    found = token_losses(states, output, torch.tensor([0]))
    assert found.tolist() == pytest.approx([torch.log1p(torch.exp(torch.tensor(-2.0))).item()])
