import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from lsp_server.report.material import collect
from lsp_server.report.page import page
from lsp_server.report.summary import summary
from lsp_server.store.paths import StorePaths
from tests.report_stores import NOW, with_history


class Elements(HTMLParser):
    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def paths(tmp_path):
    return StorePaths(tmp_path / "home")


@pytest.fixture
def full(paths, tmp_path):
    with_history(paths, tmp_path)
    return collect(paths, tmp_path, NOW)


def test_nothing_yet_says_what_to_do(paths, tmp_path):
    html = page(collect(paths, tmp_path, NOW))
    assert "No adapter yet" in html
    assert "No suggestion was recorded yet" in html
    assert "No training yet" in html
    assert "<svg" not in html
    assert not paths.root.exists()


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(full):
    html = page(full)
    elements = Elements(html)
    assert elements.open == []
    tags = {tag for tag, _ in elements.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    policy = next(attrs for tag, attrs in elements.seen if "http-equiv" in attrs)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    for _, attributes in elements.seen:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "xlink:href", "src"):
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import", html)


def test_plots_take_their_colours_and_font_from_the_page(full):
    plots = re.findall(r"<svg.*?</svg>", page(full), re.DOTALL)
    assert len(plots) == 4
    for plot in plots:
        assert not re.search(r"#[0-9a-f]{6}\b", plot)
        assert "font-family" not in plot
        assert 'role="img"' in plot
        assert re.search(r"<text[^>]*>", plot)  # text, not outlines of it
        assert not re.search(r"<svg[^>]* (width|height)=", plot)


def test_every_id_is_there_once_and_every_reference_is_met(full):
    html = page(full)
    names = re.findall(r' id="([^"]+)"', html)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(names)
    for plot in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        own = re.findall(r' id="([^"]+)"', plot)
        assert len(own) == len(set(own))


def test_the_sections_tell_what_is_known(full):
    html = page(full)
    for text in ("+0.063", "−0.004", "not certainly better", "640 docstring/implementation pairs",
                 "short body", "451", "commit 8104753", "base alone"):  # fmt: skip
        assert text in html, text
    assert html.count("serves</span>") == 1


def test_what_files_hold_is_escaped(paths, tmp_path):
    root = tmp_path / "<b>a & b"
    root.mkdir()
    store = with_history(paths, root)
    [run] = store.runs.iterdir()
    (run / "samples.jsonl").write_text(
        '{"path":"<script>alert(1)</script>","what":"file","reason":"<i>odd</i>"}\n'
    )
    html = page(collect(paths, root, NOW))
    assert "&lt;b&gt;a &amp; b" in html
    assert "<script" not in html
    assert "<i>odd" not in html


def test_damaged_files_are_left_out(paths, tmp_path):
    store = with_history(paths, tmp_path)
    adapters = sorted(store.adapters.iterdir())
    (adapters[0] / "gate.json").write_text("{")
    (adapters[1] / "manifest.json").write_text("[]")
    [run] = store.runs.iterdir()
    (run / "events.jsonl").write_bytes(b'{"kind":"stage","stage":"training"}\n{"kind":"st')
    (run / "samples.jsonl").unlink()
    paths.feedback.write_bytes(b"no database" * 500)
    store.active_json.write_text("not json")
    material = collect(paths, tmp_path, NOW)
    assert [judged.gate is None for judged in material.adapters] == [True, False]
    assert "active.json" in material.trouble
    html = page(material)
    assert "last heard of while training" in html
    assert "No suggestion was recorded yet" in html


def test_the_summary_is_a_few_lines(full, paths, tmp_path):
    lines = summary(full)
    assert "tenon-starter serves, with the adapter" in lines[0]
    assert any(line.startswith("gain       +0.063") for line in lines)
    assert any("of 518 shown" in line for line in lines)
    assert all(len(line) < 160 for line in lines)


def test_a_run_that_was_killed_and_one_adapter_alone(paths, tmp_path):
    with_history(paths, tmp_path, adapters=((0.02, None),))
    html = page(collect(paths, tmp_path, datetime(2026, 1, 1, tzinfo=UTC)))
    assert "<svg" in html
