import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.budget import MARGIN, OUTPUT, PREFIX, SUFFIX, budget_for
from lsp_server.prompt.formats import PLAIN
from tests.fakes import QWEN_INFO


def test_a_slow_machine_reads_a_shorter_prompt():
    slow = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=300, decode_speed=20), 600)
    fast = budget_for(dataclasses.replace(QWEN_INFO, prefill_speed=1500, decode_speed=90), 600)
    assert slow.prefix < fast.prefix
    assert slow.suffix < fast.suffix
    assert slow.output < fast.output


def test_prefix_and_suffix_share_the_first_requests_time():
    budget = budget_for(QWEN_INFO, 600)  # 4 x 0.6 s x 60 % x 1000 tokens/s = 1440 tokens
    assert (budget.prefix, budget.suffix, budget.output) == (1152 // 128 * 128, 288, 30)


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
    fim=st.sampled_from([QWEN_INFO.fim, PLAIN]),
)
def test_the_whole_fits_the_context_and_the_limits(context, prefill, decode, target, fim):
    info = dataclasses.replace(
        QWEN_INFO, fim=fim, context=context, prefill_speed=prefill, decode_speed=decode
    )
    budget = budget_for(info, target)
    assert budget.prefix + budget.suffix + budget.output + MARGIN <= context
    assert 1 <= budget.prefix <= PREFIX[1]
    assert 0 <= budget.suffix <= SUFFIX[1]
    assert 1 <= budget.output <= OUTPUT[1]
