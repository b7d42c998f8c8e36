"""`tenon train` from a file tree to a served adapter: the real starter, engine and recipe."""

import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lsp_server.cli import main
from lsp_server.completion.engine import EngineInfo, GenerationRequest
from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.errors import SettingsError
from lsp_server.prompt.assemble import Source, assemble
from lsp_server.prompt.window import Budget
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import base_identity
from lsp_server.store.catalogue import STARTER
from lsp_server.store.locks import RunLock
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import Run
from tests.e2e.engine.conftest import end_engine
from tests.editors import TENON
from tests.git_repositories import Repository
from tests.small_projects import NEWER, small_project, source
from tests.starter import install
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training import preparation, questions
from training import run as run_module
from training import served as served_module
from training.data.dataset import SampleMix
from training.gate.judge import judge
from training.gate.report import GateReport
from training.interruption import RunCancelledError
from training.recipe.config import FEW_STEPS_SAMPLES, RecipeConfig, TrainConfig
from training.recipe.machine import CPU_SECONDS
from training.run import TrainingRun
from training.running.job import Listener

SHORT = RecipeConfig(
    rank=4, max_steps=2, step_samples=2, micro_tokens=512, measures=1, learning_rate=2e-4
)
CONFIG = TrainConfig(recipe=SHORT, mix=SampleMix(smallest=0.4))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    store = ModelStore(StorePaths(tmp_path_factory.mktemp("train") / "home"))
    store.choose(install(store).name)
    yield store.paths
    end_engine(store.paths)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return small_project(tmp_path_factory.mktemp("train") / "shelf")


@pytest.fixture(autouse=True)
async def small_engine(home: StorePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short prompts and few questions, so that a run takes seconds; all find this engine."""
    monkeypatch.setenv("TENON_HOME", str(home.root))
    monkeypatch.setattr(questions, "VALIDATION_SPANS", 4)
    monkeypatch.setattr(preparation, "GENERAL_CHOOSING", 4)
    monkeypatch.setattr(questions, "STRETCHES", 2)
    await find_or_start(home, EngineOptions(context=512, threads=1))


def registry(home: StorePaths, project: Repository) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(home, project.root))


async def served(home: StorePaths) -> tuple[EngineInfo, str]:
    client = (await find_or_start(home, EngineOptions())).connect()
    try:
        info = await client.ask_info()
    finally:
        await client.aclose()
    return info, base_identity(ModelStore(home), info.model, info.sha256)


def test_what_is_not_promoted_is_published_and_does_not_serve(home, project):
    stages: list[str] = []
    run = TrainingRun(project.root, home, CONFIG, Listener(stage=stages.append), gate_seconds=0.1)
    outcome = run.execute()
    assert outcome.report.verdict == "undecided"
    [adapter] = registry(home, project).all()
    assert adapter.id == outcome.adapter
    assert adapter.verdict == "rejected"
    folder = adapter.path.parent
    assert msgspec.json.decode((folder / "gate.json").read_bytes(), type=GateReport) \
        == outcome.report  # fmt: skip
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {
        path.name for path in (folder / "peft").iterdir()
    }
    assert not registry(home, project).repository.active_json.exists()
    assert stages[0] == "asking the engine which model it serves"
    assert stages[-5:] == [
        "training", "choosing the adapter's scale", "exporting", "judging", "publishing"
    ]  # fmt: skip


async def manifest_facts(home: StorePaths, project: Repository, adapter) -> None:
    _, base = await served(home)
    assert (adapter.base, adapter.base_name) == (base, STARTER)
    assert adapter.repository == "shelf"
    assert adapter.rank == SHORT.rank
    assert adapter.recipe["recipe"]["method"] == "lora"
    assert adapter.recipe["mix"]["smallest"] == 0.4
    commits = project.git("rev-list", "HEAD").split()
    assert adapter.commit in commits[1:]
    assert adapter.verdict == "promoted"
    assert adapter.gate.spans > 0


async def lenient(*arguments) -> GateReport:
    """The gate's own report with another verdict: two steps win nothing."""
    report = await judge(*arguments)
    return msgspec.structs.replace(report, verdict="promoted")


def test_what_is_promoted_serves(home, project, monkeypatch):
    monkeypatch.setattr(run_module, "judge", lenient)
    outcome = TrainingRun(project.root, home, CONFIG, gate_seconds=60).execute()
    assert outcome.report.sweep is not None
    events = list(Run(outcome.run).read_events())
    assert {event["kind"] for event in events} == {
        "stage", "material", "start", "step", "scale", "verdict"
    }  # fmt: skip
    assert [event["step"] for event in events if event["kind"] == "step"] == [0, 2]
    assert not (outcome.run / "checkpoints").exists()
    assert not (outcome.run / "candidate").exists()


async def test_the_engine_answers_with_it(home, project):
    info, base = await served(home)
    active = registry(home, project).active(base)
    assert active is not None
    await manifest_facts(home, project, active.adapter)
    client = (await find_or_start(home, EngineOptions())).connect()
    try:
        await client.have_adapter("shelf", active.adapter.path, active.scale)
        assert "shelf" in (await client.ask_info()).adapters
        budget = Budget(prefix=128, suffix=32, output=8)
        source = Source("def add(a, b):\n    return ", "\n", "prompt/add.py", "shelf")
        prompt = assemble(source, info.fim, budget, lambda texts: [8] * len(texts))
        request = GenerationRequest(prompt, max_tokens=8, adapter="shelf")
        answer = [chunk async for chunk in client.generate(request)]
        assert "".join(chunk.text for chunk in answer).strip()
    finally:
        await client.unload_adapter("shelf")
        await client.aclose()


def test_a_worktree_starts_from_what_serves_it_and_is_held_to_it(
    home, project, tmp_path, monkeypatch
):
    main = registry(home, project)
    served = main.active_id()
    project.git("worktree", "add", "--quiet", str(tmp_path / "beside"), "-b", "beside")
    monkeypatch.setattr(run_module, "judge", lenient)
    outcome = TrainingRun(tmp_path / "beside", home, CONFIG, gate_seconds=60).execute()
    assert [arm.name for arm in outcome.report.sweep.arms[:2]] == ["base", "current"]
    own = AdapterRegistry(RepositoryStore.of(home, tmp_path / "beside"))
    [adapter] = own.all()
    assert (adapter.id, adapter.started_from) == (outcome.adapter, served)
    assert (own.active_id(), main.active_id()) == (adapter.id, served)


def test_a_run_that_goes_on_cuts_its_prompts_as_it_began(home, tmp_path, monkeypatch):
    project = small_project(tmp_path / "four", NEWER[4:])
    recipe = msgspec.structs.replace(SHORT, max_steps=3, measures=3)
    config = msgspec.structs.replace(CONFIG, recipe=recipe)
    steps, budgets = [], []

    def stop(event) -> None:
        steps.append(event.step)
        if event.step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    def noted(*arguments, **named) -> preparation.Prepared:
        found = preparation.prepare(*arguments, **named)
        budgets.append(found.dataset.terms.budget)
        return found

    def slower(*arguments) -> Budget:
        return Budget(prefix=48, suffix=16, output=8)

    monkeypatch.setattr(run_module, "prepare", noted)
    with pytest.raises(RunCancelledError):
        TrainingRun(project.root, home, config, Listener(event=stop)).execute()
    monkeypatch.setattr(served_module, "budget_for", slower)
    TrainingRun(project.root, home, config, Listener(event=stop), gate_seconds=0.1).execute()
    assert budgets[0] == budgets[1] != slower()
    assert steps == [1, 2, 3]


def test_a_dry_run_shows_what_would_be_learnt_and_eval_reads_its_export(
    home, project, tmp_path, capsys
):
    output = tmp_path / "samples.jsonl"
    command = ["train", str(project.root), "--dry-run", "--json", "--export", "fim"]
    assert main([*command, "--output", str(output)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["pairs"] > 20
    assert plan["samples"] > 10
    assert plan["steps"] == math.ceil(4 * plan["samples"] / FEW_STEPS_SAMPLES)
    assert plan["seconds"] == CPU_SECONDS
    assert {"hidden", "short body"} <= {entry["reason"] for entry in plan["rejected"]}
    assert len(plan["examples"]) == 5
    assert {"kind", "path", "before", "middle", "after", "snippets"} <= set(plan["examples"][0])
    assert plan["held_out"]["spans"] > 10
    assert len(output.read_text(encoding="utf-8").splitlines()) >= 4 * plan["samples"]
    assert main(["eval", str(output), "--limit", "2", "--no-nll", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2


def test_without_newer_code_nothing_is_decided(home, tmp_path):
    (tmp_path / "alone.py").write_text(source("prompt/window.py"), encoding="utf-8")
    events = []
    run = TrainingRun(tmp_path, home, CONFIG, Listener(event=events.append), gate_seconds=0.1)
    outcome = run.execute()
    assert outcome.report.verdict == "undecided"
    assert outcome.report.reasons[0].endswith("train again when there is more newer code")
    assert [event.heldout for event in events] == [None]
    store = RepositoryStore.of(home, tmp_path)
    [adapter] = AdapterRegistry(store).all()
    assert (adapter.verdict, adapter.scale) == ("rejected", 1.0)
    assert not store.active_json.exists()


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_ctrl_c_ends_a_run_with_one_line_and_changes_nothing(home, tmp_path):
    project = small_project(tmp_path / "two", NEWER[4:])  # too few files to measure on
    store = RepositoryStore.of(home, project.root)
    config = tmp_path / "train.toml"
    config.write_text("[recipe]\nstep_samples = 2\nrank = 4\nmeasures = 1000\n")
    command = [TENON, "train", str(project.root), "--config", str(config), "--max-steps", "1000"]
    environment = {**os.environ, "TENON_HOME": str(home.root)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith("step "):
                    break
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors == "tenon: training was cancelled; what served before goes on serving\n"
    assert lines[-2] == "training"
    assert not store.active_json.exists()
    assert not store.adapters.exists()
    with RunLock(store):
        pass  # it is free again


def test_a_repository_that_is_deleted_meanwhile_ends_its_run(home, tmp_path):
    project = small_project(tmp_path / "three", NEWER[4:])
    store = RepositoryStore.of(home, project.root)

    def delete(stage: str) -> None:
        if stage == "training":
            shutil.rmtree(project.root)

    with pytest.raises(SettingsError, match=r"three is gone.*what served before goes on"):
        TrainingRun(project.root, home, CONFIG, Listener(stage=delete)).execute()
    assert not store.adapters.exists()
    with RunLock(store):
        pass


def test_only_one_run_at_a_time_trains_a_repository(home, project, capsys):
    store = RepositoryStore.of(home, project.root)
    before = files_in(store.adapters)
    with RunLock(store):
        assert main(["train", str(project.root)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"tenon: shelf is being trained already (process {os.getpid()})")
    assert said.count("\n") == 1
    assert files_in(store.adapters) == before
