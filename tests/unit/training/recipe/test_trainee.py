"""A trainee's losses are its model's own, in a batch or alone, compiled or not."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import msgspec
import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from peft.tuners.lora import LoraLayer
from torch.nn.functional import cross_entropy
from transformers import Starcoder2Config, Starcoder2ForCausalLM

from lsp_server.errors import SettingsError
from tests.tiny_trainee import RECIPE, tiny_base, tiny_material, tiny_samples, tiny_trainee, trained
from training.data.samples import Sample
from training.recipe.fused import fuse
from training.recipe.heldout import HeldOut
from training.recipe.recipe import general_at, heldout_at
from training.recipe.trainee import Trainee, reset, with_adapter

SAMPLES = tiny_samples()
TESTS = Path(__file__).parents[3]


def answer_losses(trainee: Trainee, samples: tuple[Sample, ...], most_tokens: int) -> list[float]:
    """Every answer token's cross entropy, shortest sample first."""
    found = []
    for batch in trainee.cut(samples, most_tokens, prompt_weight=0.0):
        _, each = trainee.losses(batch)
        found += each.tolist()
    return found


def test_losses_are_those_of_the_plain_model() -> None:
    model, expected = tiny_base(), []
    for sample in sorted(SAMPLES, key=lambda it: len(it.tokens)):
        tokens = torch.tensor(sample.tokens)
        with torch.no_grad():
            logits = model(input_ids=tokens[None]).logits[0]
        each = cross_entropy(logits[:-1], tokens[1:], reduction="none")
        expected += each[sample.answer - 1 :].tolist()
    assert answer_losses(tiny_trainee(), SAMPLES, 96) == pytest.approx(expected, abs=1e-5)


def test_padding_changes_no_loss() -> None:
    trainee = tiny_trainee()
    together, alone = (answer_losses(trainee, SAMPLES, most) for most in (1_000, 1))
    assert together == pytest.approx(alone, abs=1e-5)
    measured = trainee.measured(list(trainee.cut(SAMPLES, 96, prompt_weight=0.0)))
    assert measured[:, 1].tolist() == [6.0] * len(SAMPLES)
    total, count = measured.sum(0).tolist()
    assert count == len(alone) == 6 * len(SAMPLES)
    assert total == pytest.approx(sum(alone), rel=1e-5)


def test_what_repeats_text_is_measured_among_what_healing_chooses_from() -> None:
    pieces = [bytes([97 + token % 8, 97 + token // 8]) for token in range(64)]
    samples = []
    for number, sample in enumerate(SAMPLES):
        first, second = sample.tokens[sample.answer : sample.answer + 2]
        # One token and half of the next, one token, a half, and nothing.
        owed = (pieces[first] + pieces[second])[: 3 - number % 4]
        samples.append(replace(sample, owed=owed))
    model, total = tiny_base(), 0.0
    for sample in samples:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(sample.tokens)[None]).logits[0]
        owed = sample.owed
        for place in range(sample.answer, len(sample.tokens)):
            token = sample.tokens[place]
            among = [it for it in range(64) if pieces[it].startswith(owed[:2])]
            of = logits[place - 1]
            total += float(of[among].logsumexp(-1) - of[token])
            owed = owed[2:]
    material = replace(tiny_material(heldout=samples), pieces=pieces)
    config = msgspec.structs.replace(RECIPE, micro_tokens=64)
    found = HeldOut(Trainee(model), material.heldout, material.pieces, config).loss()
    assert found == pytest.approx(total / (6 * len(samples)), rel=1e-4)


def test_measuring_leaves_dropout_on_for_the_next_step() -> None:
    trainee = tiny_trainee(msgspec.structs.replace(RECIPE, dropout=0.5))
    batches = list(trainee.cut(SAMPLES, 96, prompt_weight=0.0))
    first, second = (trainee.measured(batches).tolist() for _ in range(2))
    assert first == second
    assert trainee.model.training


def test_logits_come_in_pieces() -> None:
    trainee = tiny_trainee()
    (batch,) = trainee.cut(SAMPLES[:1], 96, prompt_weight=0.0)
    logits = torch.cat(list(trainee.logits(trainee.states(batch))))
    each = cross_entropy(logits, batch.targets, reduction="none")
    assert each.tolist() == pytest.approx(answer_losses(trainee, SAMPLES[:1], 96), abs=1e-6)


@pytest.mark.parametrize("method", ["lora", "dora", "adalora"])
def test_a_new_adapter_changes_nothing_and_is_the_seeds(method: str) -> None:
    plain = answer_losses(Trainee(tiny_base()), SAMPLES, 96)
    weights = {}
    for seed in (1, 1, 2):
        config = msgspec.structs.replace(RECIPE, method=method, seed=seed)
        trainee = tiny_trainee(config)
        assert answer_losses(trainee, SAMPLES, 96) == pytest.approx(plain, abs=1e-4)
        now = torch.cat([it.detach().flatten() for it in trainee.parameters])
        if seed in weights:
            assert torch.equal(weights[seed], now)
        weights[seed] = now
    assert not torch.equal(weights[1], weights[2])


def set_to_change(trainee: Trainee) -> None:
    """Give an adapter factors with which it changes what the model says.

    A few steps would not do: AdaLoRA begins with a zero in E, and hardly moves in them.
    """
    torch.manual_seed(5)
    with torch.no_grad():
        for name, it in trainee.model.named_parameters():
            if any(f".lora_{factor}." in name for factor in "ABE"):
                it.normal_(std=0.2)


@pytest.mark.parametrize("method", ["lora", "dora", "adalora"])
def test_an_anchor_is_what_the_base_says_without_the_adapter(method: str) -> None:
    trainee = tiny_trainee(msgspec.structs.replace(RECIPE, method=method))
    set_to_change(trainee)
    base = Trainee(tiny_base())
    (batch,) = trainee.cut(SAMPLES[:1], 96, prompt_weight=0.3)
    now, said = (torch.cat(list(it.logits(it.states(batch)))) for it in (trainee, base))
    assert (now.log_softmax(-1) - said.log_softmax(-1)).abs().mean() > 0.1
    soft = -(said.softmax(-1) * now.log_softmax(-1)).sum(-1)
    hard = cross_entropy(now, batch.targets, reduction="none")
    expected = ((0.6 * hard + 0.4 * soft) * batch.weights).sum()
    total, each = trainee.losses(batch, 0.4)
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)
    assert each.tolist() == pytest.approx(hard.tolist(), abs=1e-4)
    total.backward()
    assert all(it.grad is not None for it in trainee.parameters)


def test_an_anchored_run_grows_less_sure_of_what_it_read() -> None:
    lost = {}
    for anchor in (0.0, 0.5):
        trainee = tiny_trainee()
        trained(trainee=trainee, anchor=anchor, passes=40.0)
        lost[anchor] = fmean(answer_losses(trainee, SAMPLES, 96))
    began = fmean(answer_losses(tiny_trainee(), SAMPLES, 96))
    assert lost[0.0] < 0.7 * lost[0.5] < lost[0.5] < 0.8 * began


def test_an_adapter_starts_again() -> None:
    trainee = tiny_trainee()
    begun = []
    for _ in range(2):
        reset(trainee.model, seed=RECIPE.seed)
        begun.append([it.detach().clone() for it in trainee.parameters])
        trained(trainee=trainee)
        assert not all(map(torch.equal, begun[0], trainee.parameters))
    assert all(map(torch.equal, *begun))
    reset(trainee.model, seed=RECIPE.seed)
    plain = answer_losses(Trainee(tiny_base()), SAMPLES, 96)
    assert answer_losses(trainee, SAMPLES, 96) == pytest.approx(plain, abs=1e-6)


def test_what_remembers_more_is_not_started_again() -> None:
    config = msgspec.structs.replace(RECIPE, method="dora")
    with pytest.raises(ValueError, match="make a new adapter"):
        reset(with_adapter(tiny_base(), config), seed=1)


def scaling(trainee: Trainee) -> list[float]:
    layers = (it for it in trainee.model.modules() if isinstance(it, LoraLayer))
    return [layer.scaling["default"] for layer in layers]


def test_the_adapter_at_other_strengths() -> None:
    material = tiny_material(heldout=SAMPLES)
    trainee = tiny_trainee()
    trained(material, trainee=trainee)
    before = scaling(trainee)
    loss_at = heldout_at(trainee, material, RECIPE)
    assert loss_at
    losses = {scale: loss_at(scale) for scale in (0.0, 0.7, 1.0)}
    base = Trainee(tiny_base())
    each = [answer_losses(base, [it], 96) for it in SAMPLES]
    assert sorted(losses[0.0]) == pytest.approx(sorted(map(fmean, each)), rel=1e-4)
    assert fmean(losses[1.0]) < fmean(losses[0.7]) < fmean(losses[0.0])
    assert scaling(trainee) == before


def test_general_code_counts_by_samples_as_the_gates_spans_do() -> None:
    uneven = [Sample(SAMPLES[0].tokens, len(SAMPLES[0].tokens) - 1), *SAMPLES[1:3]]
    trainee = tiny_trainee()
    trained(tiny_material(), trainee=trainee)
    before = scaling(trainee)
    loss_at = general_at(trainee, replace(tiny_material(), general=uneven), RECIPE)
    base = Trainee(tiny_base())
    each = [answer_losses(base, [it], 96) for it in uneven]
    expected = sum(sum(it) / len(it) for it in each) / len(each)
    assert loss_at(0.0) == pytest.approx(expected, rel=1e-4)
    assert loss_at(1.0) != pytest.approx(expected, rel=1e-3)
    assert scaling(trainee) == before


def test_full_is_no_adapter() -> None:
    config = msgspec.structs.replace(RECIPE, method="full")
    with pytest.raises(SettingsError, match="use 'lora'"):
        with_adapter(tiny_base(), config)


def test_starcoders_layers_learn_too() -> None:
    config = Starcoder2Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = with_adapter(Starcoder2ForCausalLM(config), RECIPE)
    assert fuse(model) == 6


def test_modules_that_the_base_lacks_are_told() -> None:
    config = msgspec.structs.replace(RECIPE, modules=("query", "key"))
    with pytest.raises(SettingsError, match=r"recipe\.modules: .*query, key; its own are.* q_proj"):
        with_adapter(tiny_base(), config)


def test_compiled_layers_compute_the_same(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++ on a CPU")
    script, told = TESTS / "compiled_layers.py", tmp_path / "told.pt"
    subprocess.run([sys.executable, script, told], check=True)
    computed = torch.load(told)
    assert computed["rows"] == 2  # of which one is padding
    assert torch.allclose(*computed["found"], atol=1e-5)
