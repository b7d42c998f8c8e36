import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Crashes } from "../src/crashes";
import { Latest } from "../src/latest";
import { Notices } from "../src/notices";
import { levelOf, stringsOf, toggledLanguages, wireSettings, written } from "../src/settings";
import { Thinking } from "../src/thinking";

describe("restarts", () => {
  test("wishes that come during a run become one more run", async () => {
    const ends: (() => void)[] = [];
    const work = vi.fn(() => new Promise<void>((resolve) => ends.push(resolve)));
    const latest = new Latest(work);
    const first = latest.request();
    const second = latest.request();
    const third = latest.request();
    expect(work).toHaveBeenCalledTimes(1);
    ends[0]?.();
    await first;
    await vi.waitFor(() => {
      expect(work).toHaveBeenCalledTimes(2);
    });
    ends[1]?.();
    await Promise.all([second, third]);
    expect(work).toHaveBeenCalledTimes(2);
  });

  test("a run that failed is no hindrance to the next", async () => {
    const work = vi.fn<() => Promise<void>>().mockRejectedValueOnce(new Error("no")).mockResolvedValue();
    const latest = new Latest(work);
    const [first, second] = [latest.request(), latest.request()];
    await expect(first).rejects.toThrow("no");
    await second;
    await latest.request();
    expect(work).toHaveBeenCalledTimes(3);
  });

  test("a server that ends four times in three minutes is started no more, until somebody asks", () => {
    const crashes = new Crashes(4, 180_000);
    expect([0, 1000, 2000].map((now) => crashes.mayRestart(now))).toEqual([true, true, true]);
    expect(crashes.mayRestart(3000)).toBe(false);
    crashes.forget();
    expect(crashes.mayRestart(4000)).toBe(true);
  });

  test("crashes that are far apart do not count", () => {
    const crashes = new Crashes(2, 1000);
    expect([0, 1500, 3000].every((now) => crashes.mayRestart(now))).toBe(true);
  });
});

test("a thing is said once, until it is over", () => {
  const notices = new Notices();
  expect([notices.first("a"), notices.first("a"), notices.first("b")]).toEqual([true, false, true]);
  notices.over();
  expect(notices.first("a")).toBe(true);
});

test("an engine that is well for moments only is complained of once", () => {
  const notices = new Notices();
  const complaints = [0, 10_000, 20_000, 200_000].map((now) => {
    notices.follow(false, now);
    const isFirst = notices.first("the engine ended");
    notices.follow(true, now + 5_000);
    return isFirst;
  });
  // The last time it had been well for three minutes.
  expect(complaints).toEqual([true, false, false, true]);
});

describe("thinking", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is not shown for an answer that comes at once", async () => {
    const changes: boolean[] = [];
    const thinking = new Thinking((shown) => changes.push(shown), 200);
    await thinking.during(() => Promise.resolve(1));
    await vi.advanceTimersByTimeAsync(1000);
    expect(changes).toEqual([]);
  });

  test("is shown while any of several takes long, also if one fails", async () => {
    const changes: boolean[] = [];
    const thinking = new Thinking((shown) => changes.push(shown), 200);
    const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const failing = thinking.during(() => later(250).then(() => Promise.reject(new Error("no"))));
    const other = thinking.during(() => later(500));
    const failed = expect(failing).rejects.toThrow("no");
    await vi.advanceTimersByTimeAsync(300);
    await failed;
    expect(changes).toEqual([true]);
    await vi.advanceTimersByTimeAsync(300);
    await other;
    expect(changes).toEqual([true, false]);
  });
});

describe("settings", () => {
  const read = (name: string): unknown => ({ enabled: true, training: "automatic", "server.path": "/x" })[name];

  test("the server gets its own, and only those", () => {
    expect(wireSettings(read, true)).toEqual({ enabled: true, training: "automatic" });
  });

  test("nothing is learnt of a workspace that is not trusted", () => {
    expect(wireSettings(read, false)).toEqual({ enabled: true, training: "off" });
  });

  test("a language is taken out or put in", () => {
    expect(toggledLanguages(["markdown"], "go")).toEqual(["go", "markdown"]);
    expect(toggledLanguages(["markdown", "go"], "go")).toEqual(["markdown"]);
  });

  test("a change goes where it has an effect", () => {
    expect(levelOf(undefined)).toBe("global");
    expect(levelOf({ defaultValue: true, globalValue: false })).toBe("global");
    expect(levelOf({ defaultValue: true, workspaceValue: true })).toBe("workspace");
  });

  test("a workspace that wants what the user wants everywhere has no value of its own", () => {
    const levels = { defaultValue: true, workspaceValue: false };
    expect(written(true, "workspace", levels)).toBeUndefined();
    expect(written(false, "workspace", levels)).toBe(false);
    expect(written(false, "workspace", { ...levels, globalValue: false })).toBeUndefined();
    expect(written(true, "workspace", { ...levels, globalValue: false })).toBe(true);
    expect(written(true, "global", { defaultValue: true })).toBe(true);
  });

  test("whatever a user wrote into a list of strings", () => {
    expect(stringsOf(["a", 1, null])).toEqual(["a"]);
    expect(stringsOf("a")).toEqual([]);
  });
});
