/** The set-up with a real Python, a real pip and a wheel that needs no index. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundledWheel, Environment, quiet, type Listener, type Step } from "../src/environment";
import { run, type Run } from "../src/processes";
import { candidates } from "../src/python";
import { resolve, type Wheel } from "../src/resolution";

const TRIED = candidates(process.platform);
let folder: string;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "tenon setup ü "));
});
afterAll(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});

/** A wheel of a `tenon` whose `--version` says `says`, and which needs packages. */
async function wheel(version: string, says: string, needs: readonly string[] = []): Promise<Wheel> {
  const info = `tenon_lsp-${version}.dist-info`;
  const files = {
    "tiny.py": `def main():\n    print(${JSON.stringify(says)})\n`,
    [`${info}/METADATA`]: ["Metadata-Version: 2.1", "Name: tenon-lsp", `Version: ${version}`, ...needs.map((name) => `Requires-Dist: ${name}`), ""].join("\n"),
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/entry_points.txt`]: "[console_scripts]\ntenon = tiny:main\n",
    [`${info}/RECORD`]: "",
  };
  const here = await fs.mkdtemp(path.join(folder, "wheel "));
  const file = path.join(here, `tenon_lsp-${version}-py3-none-any.whl`);
  const code = "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n  for name, text in json.load(sys.stdin).items(): z.writestr(name, text)";
  execFileSync("python3", ["-c", code, file], { input: JSON.stringify(files) });
  const sha256 = createHash("sha256").update(await fs.readFile(file)).digest("hex");
  await fs.writeFile(path.join(here, "wheel.json"), JSON.stringify({ file: path.basename(file), version, sha256 }));
  const found = await bundledWheel(here);
  if (found === undefined) {
    throw new Error("the wheel that was just made is not found");
  }
  return found;
}

/** A folder with the source of a package whose build ends with these words. */
async function sourceOf(release: string, words: string): Promise<string> {
  const found = await fs.mkdtemp(path.join(folder, "index "));
  const [name, version] = release.split("-");
  const metadata = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`;
  const backend = [
    "def prepare_metadata_for_build_wheel(folder, *_given):",
    "    import os",
    `    os.mkdir(os.path.join(folder, "${release}.dist-info"))`,
    `    with open(os.path.join(folder, "${release}.dist-info", "METADATA"), "w") as file:`,
    `        file.write(${JSON.stringify(metadata)})`,
    `    return "${release}.dist-info"`,
    "def build_wheel(*_given, **_more):",
    `    raise SystemExit(${JSON.stringify(words)})`,
    "",
  ];
  const source = path.join(found, release);
  await fs.mkdir(source);
  await fs.writeFile(path.join(source, "PKG-INFO"), metadata);
  await fs.writeFile(path.join(source, "backend.py"), backend.join("\n"));
  await fs.writeFile(path.join(source, "pyproject.toml"), '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n');
  execFileSync("python3", ["-m", "tarfile", "-c", `${release}.tar.gz`, release], { cwd: found });
  return found;
}

function listener(signal = new AbortController().signal): Listener & { steps: Step[] } {
  const steps: Step[] = [];
  return { steps, signal, line: () => undefined, step: (step) => steps.push(step) };
}

const says = async (environment: Environment): Promise<string | undefined> =>
  (await run(environment.tenon, ["--version"])).lines[0];

describe("one environment after another state", () => {
  let environment: Environment;
  beforeAll(() => {
    environment = new Environment(path.join(folder, "storage", "server"));
  });
  const resolved = async (now: Wheel): Promise<unknown> =>
    resolve({ serverPath: "", home: "", marker: await environment.marker(), wheel: now, exists: () => Promise.resolve(false) });

  test("the first start makes it", async () => {
    const first = await wheel("0.1.0", "one");
    expect(await resolved(first)).toEqual({ kind: "setUp", upgrade: false });
    const told = listener();
    await environment.install(first, TRIED, run, told);
    expect(told.steps).toEqual(["python", "environment", "packages", "check"]);
    expect(await says(environment)).toBe("one");
    expect(await resolved(first)).toEqual({ kind: "environment" });
  });

  test("a newer wheel, and another build of the same version, are taken in place", async () => {
    await fs.writeFile(path.join(environment.root, "kept"), "what only training needs");
    for (const [version, words] of [["0.2.0", "two"], ["0.2.0", "two again"]] as const) {
      const newer = await wheel(version, words);
      expect(await resolved(newer)).toEqual({ kind: "setUp", upgrade: true });
      const told = listener();
      await environment.install(newer, TRIED, run, told);
      expect(told.steps).toEqual(["packages", "check"]);
      expect(await says(environment)).toBe(words);
    }
    expect(await fs.readFile(path.join(environment.root, "kept"), "utf8")).toContain("training");
  });

  test("one that was ended half way is no environment, and is done again", async () => {
    const next = await wheel("0.3.0", "three");
    const ending = new AbortController();
    const dying: Run = (command, args, options) => {
      if (args.includes("--no-deps")) {
        ending.abort(new Error("the window was closed"));
      }
      return run(command, args, options);
    };
    await expect(environment.install(next, TRIED, dying, listener(ending.signal))).rejects.toThrow("closed");
    expect(await environment.marker()).toBeUndefined();
    await environment.install(next, TRIED, run, listener());
    expect(await says(environment)).toBe("three");
  });

  test("another Python that can make one is taken, and on demand in place of one that works", async () => {
    const lame: Run = (command, args, options) =>
      args.includes("venv") && command === "/lame"
        ? Promise.resolve({ status: 1, lines: ["/lame: No module named venv"] })
        : command === "lame"
          ? Promise.resolve({ status: 0, lines: ["tenon 3.12.0 /lame"] })
          : run(command, args, options);
    const told = listener();
    const tried = [{ command: "lame", args: [] }, ...TRIED];
    await environment.install(await wheel("0.3.0", "anew"), tried, lame, told, { anew: true });
    expect(told.steps).toEqual(["python", "environment", "python", "environment", "packages", "check"]);
    expect(await says(environment)).toBe("anew");
    await expect(fs.access(path.join(environment.root, "kept"))).rejects.toThrow();
  });

  test("one whose Python is gone is made anew", async () => {
    await fs.rm(environment.python, { force: true });
    const told = listener();
    await environment.install(await wheel("0.3.0", "four"), TRIED, run, told);
    expect(told.steps[0]).toBe("python");
    expect(await says(environment)).toBe("four");
  });

  test("a marker without the program it speaks of does not count", async () => {
    await fs.rm(environment.tenon);
    expect(await environment.marker()).toBeUndefined();
  });
});

describe("what fails says what to do", () => {
  const fresh = (): Environment => new Environment(path.join(folder, `fresh-${Math.random()}`, "server"));

  test("no Python", async () => {
    const tried = [{ command: path.join(folder, "no-python"), args: [] }];
    await expect(fresh().install(await wheel("1.0", "x"), tried, run, listener())).rejects.toMatchObject({ kind: "pythonMissing" });
  });

  test("an old one", async () => {
    const old: Run = () => Promise.resolve({ status: 0, lines: ["tenon 3.9.2 /usr/bin/python3"] });
    const environment = fresh();
    const none: Run = (command, ...rest) =>
      command === environment.python ? Promise.reject(new Error("none yet")) : old(command, ...rest);
    await expect(environment.install(await wheel("1.0", "x"), TRIED, none, listener())).rejects.toMatchObject({
      kind: "pythonTooOld",
      detail: "3.9.2, /usr/bin/python3",
    });
  });

  test("a Python that cannot make environments, after the others were tried", async () => {
    const asked: string[] = [];
    const unable: Run = (command, args) => {
      if (args.includes("venv")) {
        asked.push(command);
        return Promise.resolve({ status: 1, lines: [`    apt install python3.1${asked.length}-venv`] });
      }
      return args.includes("pip") ? Promise.reject(new Error("none yet")) : Promise.resolve({ status: 0, lines: [`tenon 3.12.0 ${command}`] });
    };
    await expect(fresh().install(await wheel("1.0", "x"), TRIED, unable, listener())).rejects.toMatchObject({
      kind: "noVenv",
      detail: "apt install python3.11-venv",
    });
    expect(asked).toEqual(TRIED.map(({ command }) => command));
  });

  test("a wheel that pip refuses", async () => {
    const file = path.join(folder, "broken-1.0-py3-none-any.whl");
    await fs.writeFile(file, "no zip");
    const broken = { file, version: "1.0", sha256: "0" };
    await expect(fresh().install(broken, TRIED, run, listener())).rejects.toMatchObject({ kind: "other" });
  });

  /** Only here, so that no index is asked. */
  const offline = (found: string): Run => (command, args, options) =>
    run(command, args, { ...options, env: { ...options?.env, PIP_NO_INDEX: "1", PIP_FIND_LINKS: pathToFileURL(found).href } });

  test("a machine without a compiler, in the words of a real pip", async () => {
    const found = await sourceOf("llama_cpp_python-0.3.36", "CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage");
    const needy = await wheel("1.0", "x", ["llama-cpp-python==0.3.36"]);
    const environment = fresh();
    await expect(environment.install(needy, TRIED, offline(found), listener())).rejects.toMatchObject({ kind: "noCompiler" });
    expect(await environment.marker()).toBeUndefined();
  });

  test("a machine that reaches no index, in the words of a real pip", async () => {
    const needy = await wheel("1.0", "x", ["llama-cpp-python==0.3.36"]);
    await expect(fresh().install(needy, TRIED, offline(folder), listener())).rejects.toMatchObject({ kind: "noNetwork" });
  });

  test("a build of the extension without a wheel", async () => {
    expect(await bundledWheel(folder)).toBeUndefined();
  });
});

test("nothing leads what runs in the environment out of it", () => {
  const cleaned = quiet({ PATH: "/bin", PYTHONPATH: "/elsewhere", PYTHONHOME: "/odd", PIP_INDEX_URL: "https://mirror" });
  expect(cleaned).toMatchObject({ PATH: "/bin", PIP_INDEX_URL: "https://mirror" });
  expect(Object.keys(cleaned)).not.toContain("PYTHONPATH");
  expect(Object.keys(cleaned)).not.toContain("PYTHONHOME");
});
