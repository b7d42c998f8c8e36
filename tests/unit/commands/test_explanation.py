from lsp_server.commands.explanation import print_explanation
from lsp_server.protocol import Explanation, Segment


def test_an_explanation_reads_as_it_was_sent(capsys):
    why = Explanation(
        reason="shown",
        sentence="The engine answered.",
        path="a.py",
        line=3,
        answered_by="engine",
        model="starter",
        timings={"window_ms": 1.23, "prompt_per_token_ms": 4.0, "cache_n": 7},
        segments=(Segment("token", "<|fim|>"), Segment("prefix", "[bold]x[/bold] = ")),
        snippets=("b.py:4",),
        filters=("cut at extent: 3 characters left out",),
        raw="1\nmore",
        text="1",
    )
    print_explanation(why)
    text = capsys.readouterr().out
    assert "<|fim|>[bold]x[/bold] = " in text  # a document's text is no markup
    for part in ("a.py:3", "none, the base alone", "window 1.2", "b.py:4", "cut at extent"):
        assert part in text
    assert "per_token" not in text


def test_what_there_is_not_is_left_out(capsys):
    why = Explanation("disabled", "Completions are switched off.", "a.py", 1, "nobody")
    print_explanation(why)
    text = capsys.readouterr().out
    assert "the prompt" not in text
    assert "model" not in text
