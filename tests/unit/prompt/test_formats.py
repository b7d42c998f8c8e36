"""The exact segments of every family, and how a family is recognised."""

import tomllib
from pathlib import Path

import pytest

from lsp_server.prompt.assemble import Snippet, Source, assemble
from lsp_server.prompt.formats import FORMATS, Order, Special, recognise
from lsp_server.prompt.window import Budget

GOLDEN = tomllib.loads((Path(__file__).parents[2] / "golden/formats.toml").read_text("utf-8"))
SOURCE = Source("before <|fim_middle|>", " after", path="src/a.py", repository="shop")
SNIPPETS = (Snippet("src/b.py", "import c\n"), Snippet("c.py", "x = 1\n"))


def written(source: Source, name: str) -> list[str]:
    """Segments as the golden file writes them: control tokens in guillemets."""
    prompt = assemble(source, FORMATS[name], Budget(1000, 1000, 1), lambda lines: [1] * len(lines))
    return [
        f"«{entry.token}»" if isinstance(entry, Special) else entry.text
        for entry in prompt.segments
    ]


def test_every_format_has_golden_segments() -> None:
    assert set(GOLDEN) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_segments(name: str) -> None:
    golden = GOLDEN[name]
    assert written(SOURCE, name) == golden["file"]
    with_snippets = Source(
        SOURCE.before, SOURCE.after, SOURCE.path, SOURCE.repository, snippets=SNIPPETS
    )
    assert written(with_snippets, name) == golden.get("repository", golden["file"])
    assert FORMATS[name].order.value == golden["order"]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"plain", "tenon-starter"}))
def test_a_vocabulary_with_its_tokens_is_recognised(name: str) -> None:
    vocabulary = {*FORMATS[name].specials, *FORMATS[name].stops, "x"}
    repository = FORMATS[name].repository
    if repository:
        parts = (*repository.repository, *repository.file, *repository.current)
        vocabulary |= {entry.token for entry in parts if isinstance(entry, Special)}
    vocabulary |= {"<reponame>"} if name == "granite-code" else set()
    found = recognise(vocabulary, name)
    assert found is not None
    assert found.name == name


def test_the_starters_vocabulary_does_not_tell_so_its_file_does() -> None:
    fim = FORMATS["tenon-starter"]
    assert recognise({*fim.specials, *fim.stops, "<reponame>", "<filename>"}, "smollm2") is None


def test_which_families_heal_and_where() -> None:
    assert {name for name, fim in FORMATS.items() if fim.heals} == {
        "plain",
        "codestral",
        "tenon-starter",
    }
    assert FORMATS["tenon-starter"].around_prefix == ("<issue_start>", "<issue_closed>")
    assert FORMATS["codestral"].around_prefix is None


def test_an_ordinary_vocabulary_is_not_recognised() -> None:
    assert recognise({"<|endoftext|>", "a", "b"}, "llama") is None


def test_a_mistral_model_is_codestral_only_by_its_name() -> None:
    vocabulary = {"[SUFFIX]", "[PREFIX]", "<s>"}
    assert recognise(vocabulary, "Mistral 7B") is None


def test_orders() -> None:
    assert FORMATS["plain"].order is Order.PREFIX_ONLY
    assert FORMATS["codestral"].order is Order.SPM


def test_without_a_path_there_is_no_header() -> None:
    assert written(Source("a", "b"), "qwen2.5-coder") == [
        "«<|fim_prefix|>»", "a", "«<|fim_suffix|>»", "b", "«<|fim_middle|>»"
    ]  # fmt: skip


def test_without_a_repository_there_is_no_name() -> None:
    header = written(Source("a", "b", path="x.py"), "qwen2.5-coder")[:2]
    assert header == ["«<|file_sep|>»", "x.py\n"]
