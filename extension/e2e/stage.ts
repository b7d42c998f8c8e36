/** What every scenario stands on: scratch folders, a workbench, and evidence when a test fails. */

import { afterAll, afterEach, beforeAll, inject } from "vitest";
import { install, type ServerOptions } from "./codeServer.ts";
import { TENON } from "./places.ts";
import { Scratch, type ScratchOptions } from "./scratch.ts";
import { Workbench } from "./workbench.ts";

export interface StageOptions extends Partial<ServerOptions> {
  /** Begin with the starter model in place, and with the project's own server; true if left out. */
  prepared?: boolean;
  settings?: Record<string, unknown>;
  /** Folder of an extension that takes Tenon's place. */
  instead?: string;
  /** Name of the workspace's folder. */
  folder?: string;
  /** Lay the workspace out before the workbench opens it. */
  workspace: (scratch: Scratch) => void | Promise<void>;
}

/** Declare the scenario's hooks; what is returned may be used inside tests. */
export function stage(name: string, options: StageOptions): { scratch: Scratch; workbench: Workbench } {
  const prepared = options.prepared ?? true;
  const scene: { scratch?: Scratch; workbench?: Workbench } = {};

  beforeAll(async () => {
    const scratchOptions: ScratchOptions = options.instead ? {} : { extensions: inject("extensions") };
    if (prepared) scratchOptions.home = inject("home");
    if (options.folder) scratchOptions.folder = options.folder;
    const scratch = (scene.scratch = new Scratch(name, scratchOptions));
    if (options.instead) await install(scratch, options.instead);
    scratch.configure({
      "tenon.logLevel": "debug",
      // A model that is offered would lie over what is looked at.
      "tenon.offerModels": false,
      // A browser and an editor share two cores with the engine: one thread has no other to wait for.
      "tenon.threads": 1,
      ...(prepared ? { "tenon.server.path": TENON, "tenon.training": "manual" } : {}),
      ...options.settings,
    });
    await options.workspace(scratch);
    scene.workbench = await Workbench.start(scratch, { trusted: options.trusted ?? true });
    await scene.workbench.load();
  });

  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") await scene.workbench?.failed(task.name);
  });

  afterAll(async ({}, suite) => {
    // Until the hooks here have run, a suite fails by its beforeAll alone, behind which no afterEach comes.
    if (suite.result?.state === "fail") await scene.workbench?.failed("before all");
    await scene.workbench?.close();
    await scene.scratch?.remove();
  });

  return {
    get scratch() {
      return present(scene.scratch);
    },
    get workbench() {
      return present(scene.workbench);
    },
  };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the workbench is there only inside a test");
  return value;
}
