import { createInterface } from "node:readline";

/** Lines that are kept. */
const KEPT = 40;

/** The last lines of a server's standard error, in case that it dies. */
export class LastWords {
  all: readonly string[] = [];

  listen(stream: NodeJS.ReadableStream): void {
    createInterface({ input: stream }).on("line", (line) => {
      this.all = [...this.all, line].slice(-KEPT);
    });
  }

  get last(): string | undefined {
    return this.all.findLast((line) => line.trim() !== "");
  }
}
