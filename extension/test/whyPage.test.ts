import { describe, expect, test } from "vitest";
import type { Explanation } from "../src/protocol";
import { text, whyPage } from "../src/whyPage";

const WHY: Explanation = {
  reason: "duplicate",
  sentence: "The answer repeats the text after the cursor.",
  path: "src/<b>.py",
  line: 7,
  answeredBy: "engine",
  model: "tenon-starter",
  adapter: null,
  timings: { window_ms: 1.25, total_ms: 80, later_ms: 2, cache_n: 12, prompt_per_token_ms: 4.8 },
  segments: [
    { kind: "token", text: "<|fim|>" },
    { kind: "suffix", text: "</pre><script>alert('x')</script>" },
    { kind: "prefix", text: 'a = "1"' },
  ],
  snippets: ["src/other.py:12"],
  filters: ["cut at text below: nothing is left"],
  raw: "raw & text",
  text: "",
};

describe("the page", () => {
  test("allows styles alone, and escapes what a document holds", () => {
    const page = whyPage(WHY);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(page).not.toContain("<script");
    expect(page).toContain("&#60;|fim|&#62;");
    expect(page).toContain("src/&#60;b&#62;.py:7");
    expect(page).toContain("raw &#38; text");
    expect(page).not.toMatch(/url\(|@import|https?:/);
  });

  test("tells stages, filters and other places, and leaves out what there is not", () => {
    const page = whyPage(WHY);
    for (const part of ["<td>laying out the prompt</td><td>1.3</td>", "<td>later</td><td>2.0</td>", "Other places", "cut at text below", "src/other.py:12", "none, the base alone"]) {
      expect(page).toContain(part);
    }
    expect(page).not.toContain("cache_n");
    expect(page).not.toContain("per_token");
    expect(page).not.toContain("What is shown of it");
  });

  test("says what to do where nothing was asked for", () => {
    expect(whyPage(null)).toContain("No completion was asked for yet");
  });
});

test("every character that means something in HTML is escaped", () => {
  expect(text(`<a href="x">'&'</a>`)).toBe("&#60;a href=&#34;x&#34;&#62;&#39;&#38;&#39;&#60;/a&#62;");
});
