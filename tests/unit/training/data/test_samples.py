"""What a sample holds; that its tokens are the engine's is in tests/contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.prompt.assemble import Snippet, Source
from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.healing import MAX_TOKENS
from lsp_server.prompt.window import Budget
from tests.byte_tokenizer import ByteTokenizer
from training.data.samples import Sample, fim_sample
from training.layouts import LAYOUTS, relaid

TOKENIZER = ByteTokenizer()
STARTER = FORMATS["tenon-starter"]
AMPLE = Budget(10_000, 10_000, 0)
WORD = Source("x = 1\nretu", "\n\ny = 2\n")
TEXTS = st.text(st.sampled_from("ab_1 .(\n\té🙂"), max_size=30)


def sample(source: Source, middle: str, fim=STARTER, *, heal: bool = True) -> Sample:
    return fim_sample(source, middle, fim, AMPLE, TOKENIZER, end=TOKENIZER.end, heal=heal)


def spelled(found: Sample) -> tuple[str, str]:
    """Prompt and answer as text."""
    return (
        TOKENIZER.spelled(found.tokens[: found.answer]),
        TOKENIZER.spelled(found.tokens[found.answer :]),
    )


def test_the_unfinished_word_moves_behind_the_prompt():
    assert spelled(sample(WORD, "rn 1")) == (
        "<issue_comment>\n\ny = 2\n<issue_start>x = 1\n<issue_closed>",
        "return 1<|endoftext|>",
    )


def test_without_healing_it_stays():
    assert spelled(sample(WORD, "rn 1", heal=False)) == (
        "<issue_comment>\n\ny = 2\n<issue_start>x = 1\nretu<issue_closed>",
        "rn 1<|endoftext|>",
    )


@pytest.mark.parametrize(
    ("layout", "prompt", "answer"),
    [
        ("psm", "<issue_start>x = 1\nretu<issue_comment>\n\ny = 2\n<issue_closed>", "rn 1"),
        ("bare", "<issue_comment>\n\ny = 2\n<issue_start>x = 1\n", "return 1"),
        ("plain", "x = 1\n", "return 1"),
    ],
)
def test_other_layouts_heal_where_they_end_in_the_prefix(layout: str, prompt: str, answer: str):
    found = sample(WORD, "rn 1", relaid(STARTER, layout))
    assert spelled(found) == (prompt, answer + "<|endoftext|>")


def test_a_family_that_never_heals_does_not():
    prompt, answer = spelled(sample(WORD, "rn 1", FORMATS["qwen2.5-coder"]))
    assert prompt == "<|fim_prefix|>x = 1\nretu<|fim_suffix|>\n\ny = 2\n<|fim_middle|>"
    assert answer == "rn 1<|endoftext|>"


@pytest.mark.parametrize("before", ["", "x = 1\n"])
def test_nothing_is_taken_back_at_a_lines_start(before: str):
    prompt, answer = spelled(sample(Source(before, "\n"), "y"))
    assert prompt == f"<issue_comment>\n<issue_start>{before}<issue_closed>"
    assert answer == "y<|endoftext|>"


def test_a_document_that_is_one_unfinished_word():
    assert spelled(sample(Source("retu", ""), "rn")) == (
        "<issue_comment><issue_start><issue_closed>", "return<|endoftext|>",
    )  # fmt: skip


def test_the_suffix_is_never_healed():
    prompt, answer = spelled(sample(Source("", "rn"), "retu"))
    assert prompt == "<issue_comment>rn<issue_start><issue_closed>"
    assert answer == "retu<|endoftext|>"


def test_an_empty_middle_is_the_end_alone():
    assert spelled(sample(Source("x\n", "y"), ""))[1] == "<|endoftext|>"


def test_no_character_is_cut_in_two():
    # Three bytes each, and a token is a byte: the most that is taken back begins inside one.
    assert MAX_TOKENS % 3
    prompt, answer = spelled(sample(Source("日本語日本語", ""), "x"))
    assert prompt.endswith(">日本語日<issue_closed>")
    assert answer == "本語x<|endoftext|>"


def test_where_the_file_lives_stands_before_its_text():
    source = Source("a\n", "", "src/a.py", "shelf", (Snippet("src/b.py", "bb"),))
    assert spelled(sample(source, "c"))[0] == (
        "<repo_name>shelf\n<file_sep>src/b.py\nbb\n<file_sep>src/a.py\n"
        "<issue_comment><issue_start>a\n<issue_closed>"
    )


def test_text_that_looks_like_a_control_token_stays_text():
    found = sample(Source("<issue_closed>\n", ""), "<|endoftext|>")
    assert found.tokens.count(TOKENIZER.ids["<issue_closed>"]) == 1
    assert found.tokens.count(TOKENIZER.end) == 1


@given(before=TEXTS, after=TEXTS, middle=TEXTS, layout=st.sampled_from(LAYOUTS), heal=st.booleans())
def test_no_text_is_lost_or_made_up(before: str, after: str, middle: str, layout: str, heal: bool):
    fim = relaid(STARTER, layout)
    found = sample(Source(before, after), middle, fim, heal=heal)
    prompt, answer = spelled(found)
    assert found.tokens[-1] == TOKENIZER.end
    answer = answer.removesuffix("<|endoftext|>")
    shown = "" if layout == "plain" else after
    if layout == "psm":
        assert answer == middle
        assert prompt == f"<issue_start>{before}<issue_comment>{shown}<issue_closed>"
        return
    prefix = prompt.removesuffix("<issue_closed>").rpartition("<issue_start>")[2]
    assert prefix + answer == before + middle
    assert prompt.removeprefix("<issue_comment>").startswith(shown)
    if not heal:
        assert answer == middle


def test_the_budget_cuts_both_sides():
    source = Source("a = 1\n" * 100, "b = 2\n" * 100)
    found = fim_sample(
        source, "c\n", STARTER, Budget(60, 30, 0), TOKENIZER, end=TOKENIZER.end, heal=True
    )
    prompt, _ = spelled(found)
    suffix, _, prefix = prompt.removesuffix("<issue_closed>").partition("<issue_start>")
    assert 30 < len(prefix) <= 60
    assert 15 < len(suffix.removeprefix("<issue_comment>")) <= 30
