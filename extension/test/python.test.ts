import { expect, test } from "vitest";
import { candidates, findPython, isNewEnough, parseAnswer } from "../src/python";
import type { Run } from "../src/processes";

test("on Windows the launcher is asked first, elsewhere the newest release", () => {
  expect(candidates("win32")[0]).toEqual({ command: "py", args: ["-3.13"] });
  expect(candidates("linux").map((one) => one.command)).toEqual(["python3.13", "python3.12", "python3.11", "python3", "python"]);
});

test("what the user chose comes before all others", () => {
  expect(candidates("darwin", "/opt/py")[0]).toEqual({ command: "/opt/py", args: [] });
  expect(candidates("darwin", "")[0]?.command).toBe("python3.13");
});

test.each([
  ["tenon 3.12.4 /usr/bin/python3.12", "3.12.4", "/usr/bin/python3.12"],
  ["tenon 3.11.0 C:\\Program Files\\Python\\python.exe", "3.11.0", "C:\\Program Files\\Python\\python.exe"],
])("%s", (line, version, executable) => {
  expect(parseAnswer(["a shim's warning", line])).toEqual({ version, executable });
});

test("what is no Python says nothing", () => {
  expect(parseAnswer(["Python was not found; run without arguments to install from the Microsoft Store"])).toBeUndefined();
});

test.each([
  ["3.10.14", false],
  ["3.11.0", true],
  ["3.9.1", false],
  ["3.14.0", true],
  ["4.0.0", true],
  ["2.7.18", false],
])("%s: %s", (version, expected) => {
  expect(isNewEnough(version)).toBe(expected);
});

/** A machine that has these programs, which answer so. */
function machine(programs: Record<string, string>): Run {
  return (command) => {
    const answer = programs[command];
    return answer === undefined
      ? Promise.reject(Object.assign(new Error("ENOENT"), { code: "ENOENT" }))
      : Promise.resolve({ status: answer === "" ? 1 : 0, lines: [answer] });
  };
}

test("the first that is new enough is taken", async () => {
  const run = machine({ "python3.13": "", "python3.12": "tenon 3.12.1 /a", python3: "tenon 3.14.0 /b" });
  const { python } = await findPython(candidates("linux"), run, { cwd: "/" });
  expect(python).toMatchObject({ command: "python3.12", version: "3.12.1", executable: "/a" });
});

test("those that are too old are named once each", async () => {
  const run = machine({ python3: "tenon 3.9.2 /usr/bin/python3", python: "tenon 3.9.2 /usr/bin/python3" });
  const { python, tooOld } = await findPython(candidates("linux"), run, { cwd: "/" });
  expect(python).toBeUndefined();
  expect(tooOld.map((one) => one.executable)).toEqual(["/usr/bin/python3"]);
});

test("a search that was cancelled ends", async () => {
  const signal = AbortSignal.abort(new Error("cancelled"));
  await expect(findPython(candidates("linux"), machine({}), { cwd: "/", signal })).rejects.toThrow("cancelled");
});
