// Bundles every test into a temporary directory and runs them there with Node's own test runner.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folders = ["client/tests", "app/tests", "dashboard/tests", "react/tests"];
const wanted = process.argv.slice(2);

const found = await Promise.all(
  folders.map(async (folder) => (await readdir(join(here, folder))).map((name) => `${folder}/${name}`)),
);
const tests = found
  .flat()
  .filter((path) => path.endsWith(".test.ts"))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .sort();

const outdir = await mkdtemp(join(tmpdir(), "spanfeed-tests-"));
let status = 1;
try {
  await build({
    absWorkingDir: here,
    entryPoints: tests,
    outdir,
    outbase: here,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: ["node20"],
    sourcemap: "inline",
    logLevel: "warning",
    // react-dom/server asks for Node's own modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  const files = tests.map((path) => join(outdir, path.replace(/\.ts$/, ".mjs")));
  const options = ["--enable-source-maps", "--test", "--test-reporter=spec"];
  status = spawnSync(process.execPath, [...options, ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  await rm(outdir, { recursive: true, force: true });
}
process.exitCode = status;
