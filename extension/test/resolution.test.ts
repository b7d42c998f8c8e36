import { describe, expect, test } from "vitest";
import { compareVersions, expandHome, isUpgrade, resolve, type Findings, type Marker, type Wheel } from "../src/resolution";

const WHEEL: Wheel = { file: "/ext/tenon.whl", version: "0.2.0", sha256: "b" };
const MARKER: Marker = { version: "0.2.0", sha256: "b", python: "3.12" };
const NOTHING: Findings = {
  serverPath: "",
  home: "/home/me",
  marker: undefined,
  wheel: WHEEL,
  exists: (file) => Promise.resolve(file === "/home/me/bin/tenon"),
};

describe("the server comes", () => {
  test("from the setting, before anything else", async () => {
    expect(await resolve({ ...NOTHING, serverPath: " ~/bin/tenon ", marker: MARKER })).toEqual({
      kind: "path",
      command: "/home/me/bin/tenon",
    });
  });

  test.each(["/nowhere/tenon", "tenon", "bin/tenon"])("not from elsewhere if the setting is wrong: %s", async (serverPath) => {
    expect(await resolve({ ...NOTHING, serverPath, marker: MARKER })).toMatchObject({ kind: "notFound", path: serverPath });
  });

  test("from the environment that was set up", async () => {
    expect(await resolve({ ...NOTHING, marker: MARKER })).toEqual({ kind: "environment" });
  });

  test("from it even if this build of the extension holds no wheel", async () => {
    expect(await resolve({ ...NOTHING, marker: MARKER, wheel: undefined })).toEqual({ kind: "environment" });
  });

  test("out of a set-up the first time, and out of an upgrade later", async () => {
    expect(await resolve(NOTHING)).toEqual({ kind: "setUp", upgrade: false });
    const marker = { ...MARKER, version: "0.1.0" };
    expect(await resolve({ ...NOTHING, marker })).toEqual({ kind: "setUp", upgrade: true });
  });
});

test("what is newer, or built anew, is an upgrade; what is older is not", () => {
  expect(isUpgrade({ ...MARKER, version: "0.1.9" }, WHEEL)).toBe(true);
  expect(isUpgrade({ ...MARKER, sha256: "other" }, WHEEL)).toBe(true);
  expect(isUpgrade(MARKER, WHEEL)).toBe(false);
  expect(isUpgrade({ ...MARKER, version: "0.3.0", sha256: "other" }, WHEEL)).toBe(false);
});

test("versions stand in the order of releases", () => {
  const sorted = ["0.2.dev1", "0.2a1", "0.2rc1", "0.2rc2", "0.2", "0.2.post1", "0.2.1", "0.10", "1"];
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
  expect(compareVersions("0.2", "0.2.0")).toBe(0);
});

test("only a leading ~ is the home folder", () => {
  expect(["~", "~/a", "/x/~", "~me/a"].map((file) => expandHome(file, "/home/me"))).toEqual(["/home/me", "/home/me/a", "/x/~", "~me/a"]);
});
