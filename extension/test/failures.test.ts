import { expect, test } from "vitest";
import { classify, failureOf, lastWord, remedies, sentence, SetupFailure, type FailureKind } from "../src/failures";

const SPOKEN: readonly (readonly [FailureKind, string])[] = [
  ["noVenv", "The virtual environment was not created successfully because ensurepip is not available.  On Debian/Ubuntu\nsystems, you need to install the python3-venv package using the following command.\n    apt install python3.11-venv"],
  ["noVenv", "/usr/bin/python3: No module named venv"],
  ["noCompiler", "CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage\n  ERROR: Failed building wheel for llama-cpp-python\nERROR: Failed to build installable wheels for some pyproject.toml based projects (llama-cpp-python)"],
  ["noCompiler", "error: Microsoft Visual C++ 14.0 or greater is required."],
  ["noNetwork", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': [Errno -3] Temporary failure in name resolution')'\nERROR: No matching distribution found for hatchling"],
  ["noNetwork", "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'"],
  ["noSpace", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
  ["other", "Traceback (most recent call last):\nValueError: surprise"],
];

test.each(SPOKEN)("%s is told from what was written", (kind, text) => {
  expect(classify(text.split("\n"))).toBe(kind);
});

test("a full disk ends a compilation, too, and is what is to be said", () => {
  expect(classify(["No space left on device", "ERROR: Failed building wheel for llama-cpp-python"])).toBe("noSpace");
});

test("the last word is the last error, or else the last line", () => {
  expect(lastWord(["ERROR: first", "ERROR: second", "", "[notice] a new pip"])).toBe("ERROR: second");
  expect(lastWord(["one", " two ", ""])).toBe("two");
  expect(lastWord([])).toBe("");
});

test("a missing compiler leads to prebuilt wheels, an old Python to another one", () => {
  expect(sentence(new SetupFailure("noCompiler"))).toContain("PIP_EXTRA_INDEX_URL");
  expect(remedies("noCompiler")).toContain("explain");
  expect(sentence(new SetupFailure("pythonTooOld", "3.9.2, /usr/bin/python3"))).toContain("older (3.9.2, /usr/bin/python3)");
  expect(remedies("pythonMissing")).toContain("choosePython");
  expect(sentence(new SetupFailure("noVenv"))).toContain("`sudo apt install python3-venv`");
});

test("a Python without venv is quoted for the package that it is in", () => {
  const failure = failureOf([
    "The virtual environment was not created successfully because ensurepip is not",
    "available.  On Debian/Ubuntu systems, you need to install the python3-venv",
    "package using the following command.",
    "",
    "    apt install python3.12-venv",
    "",
    "You may need to use sudo with that command.",
  ]);
  expect(failure.kind).toBe("noVenv");
  expect(sentence(failure)).toContain("`sudo apt install python3.12-venv`");
  expect(failureOf(["/usr/bin/python3: No module named venv"]).detail).toBe("");
});

test("another Python is a way out wherever this one may be the reason", () => {
  for (const kind of ["noVenv", "noNetwork", "other"] as const) {
    expect(remedies(kind)).toEqual(["retry", "choosePython"]);
  }
  expect(sentence(new SetupFailure("noCompiler"))).toContain("most often a C++ compiler is missing");
});
