import { expect, test } from "vitest";
import { pipProgress } from "../src/pipProgress";
import { age, duration, percent, shortened, size } from "../src/wording";

test.each([
  [0, "0 %"],
  [0.424, "42 %"],
  [1.2, "100 %"],
  [-1, "0 %"],
])("%d is %s", (part, expected) => {
  expect(percent(part)).toBe(expected);
});

test.each([
  [0.2, "1 s"],
  [59, "59 s"],
  [190, "3 min"],
  [3599, "1 h"],
  [4800, "1 h 20 min"],
])("%d seconds are %s", (seconds, expected) => {
  expect(duration(seconds)).toBe(expected);
});

test.each([
  [10, "1 MB"],
  [98_000_000, "98 MB"],
  [1_640_000_000, "1.6 GB"],
])("%d bytes are %s", (bytes, expected) => {
  expect(size(bytes)).toBe(expected);
});

test.each([
  [0, "just now"],
  [-5, "just now"],
  [NaN, "just now"],
  [12, "12 min ago"],
  [130, "2 h ago"],
  [25 * 60, "yesterday"],
  [50 * 60, "2 days ago"],
])("%d minutes ago is %s", (minutes, expected) => {
  expect(age(0, minutes * 60_000)).toBe(expected);
});

test("only the first line is shown, with an ellipsis where it was cut", () => {
  expect(shortened("one two\nthree", 20)).toBe("one two");
  expect(shortened("one two", 5)).toBe("one…");
});

test.each([
  ["Collecting aiohttp>=3.11 (from tenon-lsp==0.1.0)", "fetching aiohttp"],
  ["  Downloading numpy-2.4.1-cp311-cp311-manylinux_2_28_x86_64.whl (16 MB)", "fetching numpy"],
  ["  Using cached httpx-0.28.1-py3-none-any.whl", "fetching httpx"],
  ["  Downloading https://host/simple/llama_cpp_python-0.3.36.tar.gz", "fetching llama_cpp_python"],
  ["  Building wheel for llama-cpp-python (pyproject.toml): started", "compiling llama.cpp, which takes some minutes"],
  ["Installing collected packages: pytz, numpy", "installing"],
  ["  Installing build dependencies: started", "fetching build tools"],
  ["Processing ./tenon_lsp-0.1.0-py3-none-any.whl", undefined],
  ["", undefined],
])("of pip's %s is said: %s", (line, expected) => {
  expect(pipProgress(line)).toBe(expected);
});
