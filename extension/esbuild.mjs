// Bundles the extension into one file: fewer files to read, and an activation that is quick.
import { context } from "esbuild";

const production = process.argv.includes("--production");
const watching = process.argv.includes("--watch");

const bundle = await context({
  entryPoints: ["src/extension.ts"],
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  external: ["vscode"],
  outfile: "dist/extension.js",
  minify: production,
  sourcemap: !production,
  logLevel: "info",
});
if (watching) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
