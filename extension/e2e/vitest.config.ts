import { basename } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** In the order of their names: the first start makes what people look at first. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((one, other) => basename(one.moduleId).localeCompare(basename(other.moduleId)));
  }
}

export default defineConfig({
  test: {
    include: ["scenarios/*.test.ts"],
    globalSetup: ["./prepare.ts"],
    reporters: ["verbose", "./summary.ts"],
    fileParallelism: false, // one workbench at a time is what two cores can drive
    sequence: { sequencer: ByName },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
