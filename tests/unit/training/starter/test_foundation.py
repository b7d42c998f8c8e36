from pathlib import Path
from types import SimpleNamespace

import pytest
from gguf import GGUFReader

import training
from tests.tiny_llama import TOKENS
from tests.train_extra import torch
from training.base.tokenizer import TextTokenizer
from training.starter import artefact, foundation, inputs
from training.starter.artefact import LEARNED_ROWS, Progress
from training.starter.config import Config, read_config
from training.starter.foundation import Report, schedule, train
from training.starter.llama import read_llama
from training.starter.lowrank import LowRank
from training.starter.model import Model

pytestmark = pytest.mark.usefixtures("as_before")


@pytest.fixture
def run(write_config):
    """Trains with some fields changed; returns its reports."""

    def run(**changes: object) -> list[Report]:
        path, reports = write_config(**changes), []
        written = train(read_config(path), path.parent, reports.append)
        assert written.is_file()
        return reports

    return run


def progress_of(path: Path, base: Path) -> Progress:
    reader = GGUFReader(base)
    tokenizer, (_, weights) = TextTokenizer.of(reader), read_llama(base, reader)
    rows = [tokenizer.ids[token] for token in LEARNED_ROWS]
    adapter = LowRank(weights, rows, attention_rank=32, feed_forward_rank=32, seed=1)
    return artefact.load(path, adapter, foundation.checksum(base))


def test_answers_become_likelier(run):
    first, last = run()
    assert (first.step, last.step) == (1, 20)
    assert (first.tokens, last.tokens) == (256, 5120)
    assert last.answer_loss < 0.85 * first.answer_loss
    assert last.loss < 0.85 * first.loss
    assert last.heldout < 0.75 * first.answer_loss
    assert first.heldout is None
    assert first.tokens_per_second > 0


def test_a_run_goes_on_from_another(run, run_folder):
    first, last = run()
    assert progress_of(run_folder / "starter.lora.gguf", run_folder / "base.gguf") == Progress(
        20, 5120
    )
    resumed, *_ = run(resume="starter.lora.gguf", output="second.gguf", tokens=256 * 3)
    assert resumed.answer_loss < (first.answer_loss + last.answer_loss) / 2
    assert progress_of(run_folder / "second.gguf", run_folder / "base.gguf") == Progress(23, 5888)
    # It may also go on in place.
    run(resume="second.gguf", output="second.gguf", tokens=256)
    assert progress_of(run_folder / "second.gguf", run_folder / "base.gguf") == Progress(24, 6144)


def test_without_a_base_it_is_the_catalogues(run, run_folder, monkeypatch):
    pulled = []

    def pull(_store, entry):
        pulled.append(entry.name)
        return SimpleNamespace(path=run_folder / "base.gguf")

    monkeypatch.setattr(inputs, "pull", pull)
    run(base="", tokens=256)
    assert pulled == ["smollm2-135m"]


def test_a_seed_says_what_happens_and_a_resumed_run_reads_in_another_order(run, monkeypatch):
    seen: list[torch.Tensor] = []
    losses = Model.losses

    def watched(model: Model, batch):
        seen.append(batch["tokens"])
        return losses(model, batch)

    monkeypatch.setattr(Model, "losses", watched)
    short = {"tokens": 256 * 3, "heldout": []}
    told = [[(line.loss, line.answer_loss) for line in run(**short)] for _ in range(2)]
    assert told[0] == told[1]
    run(**short, seed=2)
    run(**short, resume="starter.lora.gguf")
    runs = [torch.cat(seen[at : at + 3]) for at in (0, 3, 6, 9)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], runs[3])


def test_the_last_steps_run_on_rounded_weights(run, monkeypatch):
    rounded: list[bool] = []
    losses = Model.losses

    def watched(model: Model, batch):
        rounded.append(model.rounded)
        return losses(model, batch)

    monkeypatch.setattr(Model, "losses", watched)
    run(tokens=256 * 10, rounded=0.3, heldout=[])
    assert rounded == [False] * 7 + [True] * 3


def test_what_is_told_is_the_mean_over_all_tokens_since_the_last_line(run, monkeypatch):
    seen: list[tuple[torch.Tensor, dict[str, torch.Tensor]]] = []
    losses = Model.losses

    def watched(model: Model, batch):
        seen.append((losses(model, batch), batch))
        return seen[-1][0]

    monkeypatch.setattr(Model, "losses", watched)
    _, last = run(tokens=256 * 4, heldout=[], prompt_weight=0.5)
    total, weights, answers = (
        torch.cat(parts)
        for parts in zip(
            *((found.detach(), batch["weights"], batch["answers"]) for found, batch in seen[1:]),
            strict=True,
        )
    )
    assert last.loss == pytest.approx(((total * weights).sum() / weights.sum()).item())
    assert last.answer_loss == pytest.approx(total[answers].mean().item())
    assert weights[answers].unique().tolist() == [1.0]
    assert 0.5 in weights[~answers]
    targets = torch.cat([batch["targets"] for _, batch in seen])
    never = torch.isin(targets, torch.tensor([TOKENS.index(token) for token in LEARNED_ROWS]))
    assert never.any()
    assert not torch.cat([batch["weights"] for _, batch in seen])[never].any()


def test_held_out_prompts_are_those_that_are_served_and_always_the_same(run, monkeypatch):
    seen = []
    monkeypatch.setattr(Model, "answer_loss", lambda _model, batches: seen.append(batches) or 1.0)
    for seed in (1, 2):
        run(tokens=256, seed=seed)
    for one, other in zip(*seen, strict=True):
        assert torch.equal(one["tokens"], other["tokens"])
        first = (one["positions"] == 0) & (one["documents"] > 0)
        openings = {TOKENS[token] for token in one["tokens"][first].tolist()}
        assert openings <= {"<issue_comment>", "<repo_name>", "<file_sep>"}
        assert TOKENS.index("<issue_closed>") in one["tokens"]


def test_every_step_takes_its_own_gradient_and_no_larger_one(run, monkeypatch):
    norms: list[float] = []
    losses, step = Model.losses, torch.optim.AdamW.step

    def watched(model: Model, batch):
        assert all(parameter.grad is None for parameter in model._adapter.parameters())
        return losses(model, batch)

    def stepped(optimizer, *more):
        gradients = [entry.grad for entry in optimizer.param_groups[0]["params"]]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        return step(optimizer, *more)

    monkeypatch.setattr(Model, "losses", watched)
    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    run(tokens=256 * 3, clip=0.001, heldout=[])
    assert norms == pytest.approx([0.001] * 3, rel=0.01)


def test_checkpoints_say_how_far_they_are(run, monkeypatch):
    saved: list[Progress] = []
    save = artefact.save

    def watched(path, adapter, progress, **more):
        saved.append(progress)
        save(path, adapter, progress, **more)

    monkeypatch.setattr(artefact, "save", watched)
    run(tokens=256 * 3, checkpoint_seconds=0.0, heldout=[])
    assert saved == [Progress(1, 256), Progress(2, 512), Progress(3, 768)]
    saved.clear()
    run(tokens=256 * 3, heldout=[])
    assert saved == [Progress(3, 768)]


def test_held_out_answers_are_measured_at_the_end_and_now_and_then(run, monkeypatch):
    monkeypatch.setattr(foundation, "REPORT_STEPS", 2)
    monkeypatch.setattr(foundation, "HELDOUT_STEPS", 4)
    reports = run(tokens=256 * 7)
    assert [line.step for line in reports if line.heldout is not None] == [4, 7]
    assert [line.step for line in reports] == [1, 2, 4, 6, 7]


def test_the_rate_that_is_told_follows_the_schedule(run, monkeypatch):
    monkeypatch.setattr(foundation, "REPORT_STEPS", 1)
    rates = [line.learning_rate for line in run(tokens=256 * 8, decay=0.5, warmup=2, heldout=[])]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.01, 0.01, 0.0075, 0.005, 0.0025])


def test_the_schedule_rises_stays_and_falls_to_almost_nothing():
    config = Config(base="", corpus=(), output="", tokens=65_536 * 1000, warmup=100, decay=0.3)
    rates = [schedule(step, config) for step in range(1, 1001)]
    assert rates[:100] == pytest.approx([step / 100 for step in range(1, 101)])
    assert set(rates[99:701]) == {1.0}
    assert rates[700:] == pytest.approx([left / 300 for left in range(300, 0, -1)])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_short_schedule_never_reaches_nothing(steps: int):
    config = Config(base="", corpus=(), output="", tokens=65_536 * steps, warmup=100, decay=0.3)
    assert all(0 < schedule(step, config) <= 1 for step in range(1, steps + 1))


def test_the_configuration_of_this_release():
    config = read_config(Path(training.__file__).parent / "starter" / "starter.toml")
    assert (config.steps, config.tokens_per_step) == (3890, 65_536)
    assert config.mixture.visits == {"github:": 3}
