import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { alone } from "../src/lock";
import { run } from "../src/processes";

const NODE = process.execPath;
const never = new AbortController().signal;

test("both streams come line by line", async () => {
  const heard: string[] = [];
  const code = "console.log('out'); console.error('err'); process.exitCode = 3";
  const ended = await run(NODE, ["-e", code], { onLine: (line) => heard.push(line) });
  expect(ended.status).toBe(3);
  expect([...heard].sort()).toEqual(["err", "out"]);
  expect(ended.lines).toEqual(heard);
});

test("a command that is not there rejects with the system's error", async () => {
  await expect(run("no-such-command-here", [])).rejects.toMatchObject({ code: "ENOENT" });
});

test.skipIf(process.platform === "win32")("what a child started ends with it", async () => {
  const ending = new AbortController();
  let grandchild = 0;
  const code = `const c = require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => 0, 60000)"]);
    console.log(c.pid); setTimeout(() => 0, 60000)`;
  const running = run(NODE, ["-e", code], {
    signal: ending.signal,
    onLine: (line) => {
      grandchild = Number(line);
      ending.abort(new Error("cancelled"));
    },
  });
  await expect(running).rejects.toThrow("cancelled");
  await vi.waitFor(() => {
    expect(() => process.kill(grandchild, 0)).toThrow();
  }, 10_000);
});

test.skipIf(process.platform === "win32")("what does not want to end is ended all the same", async () => {
  const ending = new AbortController();
  const code = `process.on("SIGTERM", () => 0); console.log("ready"); setTimeout(() => 0, 60000)`;
  const running = run(NODE, ["-e", code], {
    signal: ending.signal,
    onLine: () => {
      ending.abort(new Error("cancelled"));
    },
  });
  await expect(running).rejects.toThrow("cancelled");
}, 20_000);

describe("a set-up in two windows", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(tmpdir(), "tenon lock "));
  });
  afterAll(async () => {
    await fs.rm(folder, { recursive: true, force: true });
  });

  test("is done by one after the other", async () => {
    const file = path.join(folder, "one");
    const order: string[] = [];
    let finish: () => void = () => undefined;
    const first = alone(file, never, () => undefined, () => new Promise<void>((resolve) => (finish = resolve)));
    await vi.waitFor(() => fs.access(file));
    const waiting = vi.fn(() => order.push("waits"));
    const second = alone(file, never, waiting, () => Promise.resolve(order.push("second")));
    await vi.waitFor(() => {
      expect(waiting).toHaveBeenCalledOnce();
    });
    order.push("first ends");
    finish();
    await Promise.all([first, second]);
    expect(order).toEqual(["waits", "first ends", "second"]);
    await expect(fs.access(file)).rejects.toThrow();
  });

  test("is taken over from a window that died", async () => {
    const file = path.join(folder, "dead");
    const child = await run(NODE, ["-e", "console.log(process.pid)"]);
    await fs.writeFile(file, child.lines[0] ?? "");
    expect(await alone(file, never, () => undefined, () => Promise.resolve(1))).toBe(1);
  });

  /** As fast as a test wants it: gone is who did not touch the file for a tenth of a second. */
  const PACE = { look: 10, touch: 20, looks: 10 };

  test("is taken over from one whose process id another process has now", async () => {
    const file = path.join(folder, "reused");
    await fs.writeFile(file, String(process.ppid));
    expect(await alone(file, never, () => undefined, () => Promise.resolve(1), PACE)).toBe(1);
    await expect(fs.access(file)).rejects.toThrow();
  });

  test("is waited for as long as its window lives", async () => {
    const file = path.join(folder, "touched");
    const order: string[] = [];
    let finish: () => void = () => undefined;
    const first = alone(file, never, () => undefined, () => new Promise<void>((resolve) => (finish = resolve)), PACE);
    await vi.waitFor(() => fs.access(file));
    const second = alone(file, never, () => undefined, () => Promise.resolve(order.push("second")), PACE);
    await new Promise((resolve) => setTimeout(resolve, 500));
    order.push("first ends");
    finish();
    await Promise.all([first, second]);
    expect(order).toEqual(["first ends", "second"]);
  });

  test("leaves the lock alone that somebody has taken over", async () => {
    const file = path.join(folder, "stolen");
    await alone(file, never, () => undefined, () => fs.writeFile(file, String(process.ppid)), PACE);
    expect(await fs.readFile(file, "utf8")).toBe(String(process.ppid));
  });

  test("does not begin after it was cancelled", async () => {
    const file = path.join(folder, "never");
    const cancelled = AbortSignal.abort(new Error("cancelled"));
    await expect(alone(file, cancelled, () => undefined, () => Promise.resolve(1))).rejects.toThrow("cancelled");
    await expect(fs.access(file)).rejects.toThrow();
  });

  test("is not waited for after it was cancelled", async () => {
    const file = path.join(folder, "held");
    await fs.writeFile(file, String(process.pid));
    const ending = new AbortController();
    const waiting = alone(file, ending.signal, () => { ending.abort(new Error("cancelled")); }, () => Promise.resolve(1));
    await expect(waiting).rejects.toThrow("cancelled");
    expect(await fs.readFile(file, "utf8")).toBe(String(process.pid));
  });

  test("that fails leaves the place free", async () => {
    const file = path.join(folder, "failed");
    await expect(alone(file, never, () => undefined, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(fs.access(file)).rejects.toThrow();
  });
});
