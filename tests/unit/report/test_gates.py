import json

import pytest

from lsp_server.report.gates import comparisons, read_gate


def gate(tmp_path, **changes):
    arms = [
        {"name": "base", "nll": 2.0, "general_nll": 1.0},
        {"name": "current", "nll": 1.9, "general_nll": 1.0},
        {"name": "candidate@1", "scale": 1.0, "nll": 1.7, "general_nll": 1.5},
        {"name": "candidate@0.5", "scale": 0.5, "nll": 1.8, "general_nll": 1.01},
    ]
    known = {"verdict": "promoted", "sweep": {"scale": 0.5, "arms": arms}, "more": "of a newer one"}
    (tmp_path / "gate.json").write_text(json.dumps(known | changes))
    return read_gate(tmp_path / "gate.json")


def test_base_and_the_chosen_scale_are_compared(tmp_path):
    newer, other = comparisons(gate(tmp_path))
    assert (newer.before, newer.after, newer.tone) == (2.0, 1.8, "good")
    assert newer.change == pytest.approx(-0.2)
    assert (other.after, other.tone) == (1.01, "")


def test_what_rose_above_its_limit_is_bad(tmp_path):
    arms = [
        {"name": "base", "nll": 2.0, "general_nll": 1.0},
        {"name": "candidate@1", "scale": 1.0, "nll": 2.1, "general_nll": 1.5},
    ]
    assert [it.tone for it in comparisons(gate(tmp_path, sweep={"scale": 1.0, "arms": arms}))] == [
        "bad",
        "bad",
    ]


def test_guards_are_shares(tmp_path):
    guards = [
        {"name": "exact match", "baseline": 0.2, "candidate": 0.25, "passed": True},
        {"name": "stopped by itself", "baseline": 0.9, "candidate": 0.5, "passed": False},
    ]
    exact, stopped = comparisons(gate(tmp_path, guards=guards))[2:]
    assert (exact.change, exact.tone) == (pytest.approx(5.0), "good")
    assert stopped.tone == "bad"


def test_a_gate_that_scored_nothing_compares_nothing(tmp_path):
    assert comparisons(gate(tmp_path, sweep=None)) == []


@pytest.mark.parametrize("text", ["", "[]", '{"guards": 7}'])
def test_what_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "gate.json").write_text(text)
    assert read_gate(tmp_path / "gate.json") is None
    assert read_gate(tmp_path / "missing.json") is None
