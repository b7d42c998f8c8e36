import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.budget import (
    MARGIN,
    OUTPUT,
    PREFIX,
    SNIPPETS,
    SUFFIX,
    SUFFIX_SHARE_PER_KEY,
    budget_for,
)
from lsp_server.prompt.assemble import Source, assemble
from lsp_server.prompt.formats import FORMATS, PLAIN, Text
from tests.fakes import QWEN_INFO


def test_a_slow_machine_reads_a_shorter_prompt():
    slow = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=300, decode_speed=20), 600)
    fast = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=1500, decode_speed=90), 600)
    assert slow.prefix < fast.prefix
    assert slow.suffix < fast.suffix
    assert slow.output < fast.output


def test_prefix_and_suffix_share_the_first_requests_time():
    spm = dataclasses.replace(QWEN_INFO, fim=FORMATS["codestral"])
    budget = budget_for(spm, 600)  # 4 x 0.6 s x 60 % x 1000 tokens/s = 1440 tokens
    assert (budget.prefix, budget.suffix, budget.output) == (1152 // 128 * 128, 288, 30)


def test_suffix_and_answer_share_every_keystrokes_time_where_the_suffix_comes_second():
    # 25 % of 0.6 s x 1000 tokens/s; the rest x 50 tokens/s
    budget = budget_for(QWEN_INFO, 600, files=False)
    assert (budget.prefix, budget.suffix) == (1290 // 128 * 128, 150 // 32 * 32)
    assert budget.output == 22


def test_other_files_share_the_first_requests_time_with_the_prefix():
    budget = budget_for(QWEN_INFO, 600)  # 30 % of 1440 tokens
    assert budget.snippets == 432 // 32 * 32
    assert budget.prefix == (1440 - 150 - 432) // 128 * 128
    without = budget_for(QWEN_INFO, 600, files=False)
    assert (without.snippets, without.suffix, without.output) == (0, budget.suffix, budget.output)
    assert without.prefix > budget.prefix


def test_a_family_that_knows_no_other_files_is_shown_none():
    assert budget_for(dataclasses.replace(QWEN_INFO, fim=FORMATS["codestral"]), 600).snippets == 0
    assert budget_for(dataclasses.replace(QWEN_INFO, fim=PLAIN), 600).snippets == 0


def test_a_slow_machine_reads_its_own_file_first():
    slow = dataclasses.replace(QWEN_INFO, prefill_speed=200)  # 288 tokens, 86 of them: too few
    assert budget_for(slow, 600) == budget_for(slow, 600, files=False)
    assert budget_for(slow, 600).prefix == 256
    budget = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=260), 600)  # 374, 112
    assert (budget.prefix, budget.snippets) == (128, 96)


def test_a_format_without_suffix_spends_nothing_on_it():
    budget = budget_for(dataclasses.replace(QWEN_INFO, fim=PLAIN), 600)
    assert budget.suffix == 0
    assert budget.prefix == 1440 // 128 * 128


def test_speeds_that_differ_a_little_give_the_same_window():
    one = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=1000), 600)
    other = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=1010), 600)
    assert (one.prefix, one.suffix) == (other.prefix, other.suffix)


def test_an_engine_that_does_not_tell_gets_a_usable_budget():
    unknown = dataclasses.replace(QWEN_INFO, context=0, prefill_speed=0, decode_speed=0)
    budget = budget_for(unknown, 600)
    assert budget.prefix > PREFIX[0]
    assert budget.output > OUTPUT[0]


@given(
    context=st.integers(128, 100_000),
    prefill=st.floats(0, 1e5),
    decode=st.floats(0, 1e4),
    target=st.integers(50, 60_000),
    fim=st.sampled_from([QWEN_INFO.fim, FORMATS["codestral"], PLAIN]),
)
def test_the_whole_fits_the_context_and_the_limits(context, prefill, decode, target, fim):
    info = dataclasses.replace(
        QWEN_INFO, fim=fim, context=context, prefill_speed=prefill, decode_speed=decode
    )
    budget = budget_for(info, target)
    whole = budget.prefix + budget.suffix + budget.snippets + budget.output
    assert whole + MARGIN <= context
    assert 1 <= budget.prefix <= PREFIX[1]
    assert 0 <= budget.suffix <= SUFFIX[1]
    assert 1 <= budget.output <= OUTPUT[1]
    assert budget.snippets == 0 or SNIPPETS[0] <= budget.snippets <= SNIPPETS[1]


BEFORE = "".join(f"value_{number} = compute({number})\n" for number in range(60)) + "    retur"
AFTER = "\n" + "".join(f"other_{number} = compute({number})\n" for number in range(60))


def read_again(fim, target_ms=600):
    """The budget, and the text that the engine reads because of one more typed character."""
    budget = budget_for(dataclasses.replace(QWEN_INFO, fim=fim), target_ms)

    def count(lines):
        return [len(line) // 3 for line in lines]

    def text(before):
        segments = assemble(Source(before, AFTER), fim, budget, count).segments
        return "".join(entry.text for entry in segments if isinstance(entry, Text))

    one, other = text(BEFORE), text(BEFORE + "n")
    pairs = enumerate(zip(one, other, strict=False))
    kept = next((at for at, (left, right) in pairs if left != right), len(one))
    return budget, other[kept:]


def test_a_suffix_behind_the_prefix_is_read_again_with_every_key():
    budget, again = read_again(FORMATS["qwen2.5-coder"])
    assert again.startswith("n\nother_0")
    typed, suffix = again[:1], again[1:]
    assert (typed, AFTER.startswith(suffix)) == ("n", True)
    assert budget.suffix / QWEN_INFO.prefill_speed <= SUFFIX_SHARE_PER_KEY * 0.6
    assert len(suffix) // 3 <= budget.suffix


@pytest.mark.parametrize("name", ["codestral", "mellum", "plain"])
def test_a_suffix_before_the_prefix_is_read_once(name):
    assert read_again(FORMATS[name])[1] == "n"


def test_a_suffix_that_is_read_once_may_be_longer():
    psm, _ = read_again(FORMATS["qwen2.5-coder"])
    spm, _ = read_again(FORMATS["codestral"])
    assert psm.suffix < spm.suffix
    assert psm.output < spm.output


def test_an_answer_of_a_slow_machine_keeps_to_its_time():
    slow = dataclasses.replace(QWEN_INFO, prefill_speed=100, decode_speed=8)
    budget = budget_for(slow, 600)
    assert (budget.suffix, budget.output) == (16, 8)
