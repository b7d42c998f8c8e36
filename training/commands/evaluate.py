"""``tenon eval DATA``: how well a model, or an adapter, fills the holes of a data set."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lsp_server.completion.engine import EngineInfo
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions
from lsp_server.errors import SettingsError, TenonError
from lsp_server.prompt.formats import FORMATS
from lsp_server.store.files import RepositoryFile, language_of
from lsp_server.store.gguf_header import BASE_ID, read_header
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

from ..evaluation.benchmarks import Benchmark, known_formats, read
from ..evaluation.details import DetailsFile
from ..evaluation.engines import loaded_adapter, private_engine, shared_engine
from ..evaluation.evaluate import EvaluationOptions, evaluate
from ..evaluation.execution import Limits
from ..evaluation.formats import KINDS, LANGUAGES, Choice
from ..evaluation.metrics import Result, summarise
from ..evaluation.report import Report
from ..layouts import LAYOUTS, OWN

ARMS = ("base", "base+ctx", "adapter", "adapter+ctx")
NO_ADAPTER = "none"
SAMPLING_TEMPERATURE = 0.8
LEAST_CONTEXT = 128
"""llama.cpp ends the process for a few tokens; with fewer than these nothing is worth asking."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the data set, what is measured, and on which engine."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"formats that are known, by the fields of a row:\n{known_formats()}"
    parser.add_argument("data", metavar="DATA", type=Path, help="a data set, or its folder")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument(
        "--details",
        type=Path,
        metavar="FILE",
        help="a JSON line per example; examples that FILE has already are not asked again",
    )
    what = parser.add_argument_group("what is asked")
    what.add_argument("--limit", type=_positive, metavar="N", help="only the first N examples")
    what.add_argument("--language", choices=sorted(LANGUAGES), default="python")
    what.add_argument(
        "--kind", choices=KINDS, default="", help="of a time split: these spans alone"
    )
    what.add_argument("--arm", choices=ARMS, help="+ctx: with what other files hold")
    what.add_argument(
        "--adapter",
        default=NO_ADAPTER,
        metavar="FILE",
        help=f"a LoRA GGUF to serve meanwhile, or {NO_ADAPTER}",
    )
    what.add_argument("--layout", choices=LAYOUTS, default=OWN, help="order of control tokens")
    what.add_argument("--samples", type=_positive, default=1, metavar="K", help="answers to each")
    what.add_argument(
        "--temperature",
        type=float,
        help=f"default: 0 (greedy), and {SAMPLING_TEMPERATURE} for several samples",
    )
    what.add_argument("--seed", type=int, default=0)
    what.add_argument(
        "--max-tokens", type=_positive, default=0, metavar="N",
        help="longest answer (default: 96, or 384 where several lines are missing)",
    )  # fmt: skip
    what.add_argument(
        "--prompt-tokens", type=_positive, default=0, metavar="N",
        help="longest prompt (default: what the engine's context holds)",
    )  # fmt: skip
    what.add_argument("--no-nll", action="store_true", help="do not score the true middles")
    what.add_argument(
        "--execute",
        action="store_true",
        help="run the answers with the data set's tests, under limits of time and memory; "
        "that keeps accidents small and is no protection against malicious code",
    )
    engine = parser.add_argument_group(
        "engine", "without these: the model that serves now, after the user's own completions"
    )
    model = engine.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", help="another installed model, in its own engine")
    model.add_argument(
        "--gguf", type=Path, metavar="FILE", help="any model file, in its own engine"
    )
    engine.add_argument("--fim", choices=sorted(FORMATS), help="the format of --gguf")
    engine.add_argument(
        "--context", type=_context, default=0, metavar="TOKENS", help=f"{LEAST_CONTEXT} or more"
    )
    engine.add_argument("--threads", type=_positive, default=0)


def run(options: argparse.Namespace) -> int:
    """Print the figures, also of a run that is cut short.

    Returns 0, or 128 + the signal that interrupted it; raises what ended it otherwise.
    """
    asked = checked(options)
    benchmark = read(options.data, Choice(options.language, options.kind))
    if options.limit:
        benchmark = replace(benchmark, examples=benchmark.examples[: options.limit])
    check_data(benchmark, options)
    reports: list[Report] = []
    status, failure, started = 0, None, time.monotonic()
    try:
        asyncio.run(_measure(options, benchmark, asked, reports.append))
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except asyncio.CancelledError:
        status = 128 + signal.SIGTERM
    except (TenonError, OSError) as error:
        failure = error
    for report in reports:
        report.seconds = time.monotonic() - started
        report.interrupted = bool(status or failure)
        if options.json:
            print(json.dumps(report.as_json()))
        else:
            Console().print(report.as_table())
    if failure:
        raise failure
    return status


async def _measure(
    options: argparse.Namespace,
    benchmark: Benchmark,
    asked: EvaluationOptions,
    begun: Callable[[Report], None],
) -> None:
    """Evaluate; ``begun`` gets the report as soon as there is something to tell."""
    _let_sigterm_cancel()
    adapter = None if options.adapter == NO_ADAPTER else Path(options.adapter).absolute()  # noqa: ASYNC240 - touches no disk
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(_engine(options))
        lora = await stack.enter_async_context(loaded_adapter(engine, adapter))
        info = await engine.info()
        name, base = called(options, info)
        report = Report(benchmark, asked, options.arm, name, base, info, adapter)
        examples = list(benchmark.examples)
        details = None
        if options.details:
            details = stack.enter_context(DetailsFile(options.details, report.run()))
            former = {result.id: result for result in details.results}
            report.results += [former[entry.id] for entry in examples if entry.id in former]
            examples = [entry for entry in examples if entry.id not in former]
        begun(report)
        bar = stack.enter_context(_progress())
        task = bar.add_task(name, total=len(benchmark.examples), exact="")

        def done(result: Result) -> None:
            report.results.append(result)
            if details:
                details.add(result)
            exact = summarise(report.results).exact_match or 0.0
            bar.update(task, completed=len(report.results), exact=f"{exact:.1%} exact")

        indexes = await asyncio.to_thread(_indexes, benchmark) if asked.context else {}
        await evaluate(engine, examples, asked, lora, done, indexes=indexes)


def _indexes(benchmark: Benchmark) -> dict[str, RepositoryIndex]:
    """An index of each repository that came with a data set, made once for all its examples."""
    return {
        name: RepositoryIndex.of_files(
            RepositoryFile(path, language_of(path), text, "", 0.0)
            for path, text in sorted(files.items())
        )
        for name, files in benchmark.repositories.items()
    }


def _let_sigterm_cancel() -> None:
    """Have SIGTERM cancel the current task, so that it cleans up; a second one ends at once."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        if task:
            task.cancel()

    with contextlib.suppress(NotImplementedError):  # Windows always ends a process at once
        loop.add_signal_handler(signal.SIGTERM, cancel)


def _engine(options: argparse.Namespace) -> AbstractAsyncContextManager[HttpEngine]:
    """The engine to ask; nothing is started before it is entered."""
    paths = StorePaths.default()
    wanted = EngineOptions(context=options.context, threads=options.threads)
    if options.gguf:
        return private_engine(options.gguf, options.fim, paths, wanted)
    if options.model:
        model = ModelStore(paths).get(options.model)
        return private_engine(model.path, model.fim, paths, wanted)
    return shared_engine(paths, lambda entry: print(f"tenon: {entry.arriving}", file=sys.stderr))


def called(options: argparse.Namespace, info: EngineInfo) -> tuple[str, str]:
    """The model's name, and the identity of the base that it is."""
    if options.gguf:
        made_of = read_header(options.gguf).metadata.get(BASE_ID)
        return options.gguf.name, str(made_of or info.sha256)
    name = options.model or info.model
    model = ModelStore(StorePaths.default()).find(name)
    return name, model.identity if model and model.sha256 == info.sha256 else info.sha256


def _progress() -> Progress:
    """A bar on standard error, if somebody looks at it."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[exact]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def checked(options: argparse.Namespace) -> EvaluationOptions:
    """What the options ask for; raises ``SettingsError`` where they contradict each other."""
    private = options.model or options.gguf
    if options.fim and not options.gguf:
        raise SettingsError("--fim is the format of a file; name the file with --gguf")
    if (options.context or options.threads) and not private:
        raise SettingsError(
            "--context and --threads are for an engine of the evaluation's own; "
            "add --model or --gguf"
        )
    if options.details:
        _check_details(options.details)
    has_adapter = options.adapter != NO_ADAPTER
    if has_adapter and not Path(options.adapter).is_file():
        raise SettingsError(
            f"there is no adapter file {options.adapter}; give the path of a LoRA .gguf file"
        )
    options.arm = options.arm or ("adapter" if has_adapter else "base")
    if options.arm.startswith("adapter") != has_adapter:
        need = "needs" if not has_adapter else "is without"
        raise SettingsError(f"the arm {options.arm} {need} an --adapter")
    temperature = options.temperature
    if temperature is None:
        temperature = SAMPLING_TEMPERATURE if options.samples > 1 else 0.0
    if options.samples > 1 and temperature <= 0:
        raise SettingsError("several samples at temperature 0 are all the same; raise it")
    return EvaluationOptions(
        layout=options.layout,
        context=options.arm.endswith("+ctx"),
        samples=options.samples,
        temperature=temperature,
        seed=options.seed,
        max_tokens=options.max_tokens,
        prompt_tokens=options.prompt_tokens,
        nll=not options.no_nll,
        limits=Limits() if options.execute else None,
        priority=0 if private else 1,
    )


def _check_details(path: Path) -> None:
    """Raise ``SettingsError`` for a path that cannot become a file."""
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; give --details a file in it")
    if not path.parent.is_dir():
        raise SettingsError(
            f"there is no folder {path.parent}; create it, or give another --details"
        )


def check_data(benchmark: Benchmark, options: argparse.Namespace) -> None:
    """Raise ``SettingsError`` if the data set has not what is asked for."""
    if options.execute and not any(example.tests for example in benchmark.examples):
        raise SettingsError(f"{benchmark.path} has no tests that could be run; omit --execute")
    has_context = benchmark.repositories or any(entry.context for entry in benchmark.examples)
    if options.arm.endswith("+ctx") and not has_context:
        raise SettingsError(
            f"{benchmark.path} brings nothing of other files, so there is no arm {options.arm}; "
            "a time split does"
        )


def _positive(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 1 or more")
    return int(text)


def _context(text: str) -> int:
    """A number of tokens that an engine can be started with."""
    if _positive(text) < LEAST_CONTEXT:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST_CONTEXT} tokens")
    return int(text)
