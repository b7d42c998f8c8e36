from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.errors import SettingsError
from lsp_server.prompt.assemble import compose
from lsp_server.prompt.formats import FORMATS, PLAIN, FimFormat, Order, Part, Special, Text
from training.layouts import LAYOUTS, relaid


def laid_out(family: str, layout: str) -> str:
    segments = compose(relaid(FORMATS[family], layout), "P", "S", path="f.py")
    return " ".join(
        entry.token if isinstance(entry, Special) else entry.text.strip() for entry in segments
    )


@pytest.mark.parametrize(
    ("family", "layout", "expected"),
    [
        ("qwen2.5-coder", "own", "<|fim_prefix|> P <|fim_suffix|> S <|fim_middle|>"),
        ("qwen2.5-coder", "psm", "<|fim_prefix|> P <|fim_suffix|> S <|fim_middle|>"),
        ("qwen2.5-coder", "spm", "<|fim_suffix|> S <|fim_prefix|> P <|fim_middle|>"),
        ("qwen2.5-coder", "bare", "<|fim_suffix|> S <|fim_prefix|> P"),
        ("qwen2.5-coder", "plain", "P"),
        ("seed-coder", "psm", "<[fim-prefix]> P <[fim-suffix]> S <[fim-middle]>"),
        ("codestral", "own", "[SUFFIX] S [PREFIX] P"),
        ("codestral", "bare", "[SUFFIX] S [PREFIX] P"),
        ("mellum", "psm", "<filename> f.py <fim_prefix> P <fim_suffix> S <fim_middle>"),
        ("plain", "own", "P"),
        ("plain", "plain", "P"),
    ],
)
def test_the_same_tokens_in_another_order(family: str, layout: str, expected: str):
    assert laid_out(family, layout) == expected


@pytest.mark.parametrize("family", [name for name in FORMATS if name not in {"plain", "codestral"}])
def test_every_family_with_a_middle_token_has_every_layout(family: str):
    for layout in LAYOUTS:
        found = relaid(FORMATS[family], layout)
        assert found.stops == FORMATS[family].stops
        assert set(found.specials) <= set(FORMATS[family].specials)


def test_only_the_prefix_before_the_middle_token_is_healed_there():
    fim = FORMATS["tenon-starter"]
    assert {layout: relaid(fim, layout).heals for layout in LAYOUTS} == {
        "own": True, "spm": True, "psm": False, "bare": True, "plain": True,
    }  # fmt: skip


@pytest.mark.parametrize("layout", ["spm", "psm", "bare"])
def test_a_model_without_the_tokens_is_refused(layout: str):
    with pytest.raises(SettingsError, match="use --layout own"):
        relaid(PLAIN, layout)


@pytest.mark.parametrize("layout", ["spm", "psm"])
def test_a_family_without_a_middle_token_is_refused(layout: str):
    with pytest.raises(SettingsError, match="no middle token"):
        relaid(FORMATS["codestral"], layout)


HEADS = st.lists(st.sampled_from([Special("<h>"), Text("\n"), Part.PATH]), max_size=3).map(tuple)
BEFORE = (Special("<p>"), Part.PREFIX)
BEHIND = (Special("<s>"), Part.SUFFIX)
FAMILIES = st.builds(
    lambda head, parts, heals: FimFormat(
        "any", (*head, *parts, Special("<m>")), heals_before_middle=heals and parts[0] == BEHIND[0]
    ),
    HEADS,
    st.sampled_from([BEFORE + BEHIND, BEHIND + BEFORE]),
    st.booleans(),
)
ORDERS = {"psm": Order.PSM, "spm": Order.SPM}


@given(fim=FAMILIES, first=st.sampled_from(sorted(ORDERS)), second=st.sampled_from(sorted(ORDERS)))
def test_a_family_keeps_its_tokens_and_finds_back(fim: FimFormat, first: str, second: str):
    found = relaid(fim, first)
    assert found.order is ORDERS[first]
    assert Counter(found.layout) == Counter(fim.layout)
    assert relaid(found, second).layout == relaid(fim, second).layout
    assert relaid(fim, fim.order.value) == fim
    assert found.heals == (fim.heals and first == "spm")


@given(fim=FAMILIES)
def test_bare_leaves_out_the_middle_token_alone(fim: FimFormat):
    found = relaid(fim, "bare")
    assert (*found.layout, Special("<m>")) == relaid(fim, "spm").layout
    assert found.heals
