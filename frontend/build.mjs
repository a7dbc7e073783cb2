// Builds the pages and the stand-alone client into web/static/app/, from which Flask serves them, and the package for
// React into react/dist/.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "..", "web", "static", "app");

const shared = {
  absWorkingDir: here,
  outdir,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  minify: true,
  sourcemap: "external",
  legalComments: "eof",
  logLevel: "warning",
  define: { "process.env.NODE_ENV": '"production"' },
};

/** Other people's pages load the client: more than this, compressed, it may not be. */
const CLIENT_LIMIT_BYTES = 8_192;
/** The package for React, without the client that it brings along. */
const REACT_LIMIT_BYTES = 6_144;
/** The dashboard's script and style together. */
const DASHBOARD_LIMIT_BYTES = 140_000;

await mkdir(outdir, { recursive: true });
await build({ ...shared, entryPoints: { app: "app/main.tsx", dashboard: "dashboard/main.tsx" }, jsx: "automatic" });
// What begins with an underscore is private to the client: nobody else needs the names.
await build({ ...shared, entryPoints: { spanfeed: "client/index.ts" }, mangleProps: /^_/ });
for (const name of ["index.html", "favicon.svg"]) {
  await copyFile(join(here, "app", name), join(outdir, name));
}
await copyFile(join(here, "dashboard", "index.html"), join(outdir, "dashboard.html"));

const dist = join(here, "react", "dist");
await rm(dist, { recursive: true, force: true });
// The package brings the client along, as an entry of its own; what both need they share.
await build({
  ...shared,
  outdir: dist,
  entryPoints: { "spanfeed-react": "react/index.ts", spanfeed: "client/index.ts" },
  splitting: true,
  jsx: "automatic",
  external: ["react", "react/jsx-runtime"],
  mangleProps: /^_/,
});
await copyFile(join(here, "..", "LICENSE"), join(dist, "LICENSE"));
await copyFile(join(here, "react", "timeline.css"), join(dist, "timeline.css"));
// Who only serves the page has no compiler.
const compiler = join(here, "node_modules", "typescript", "bin", "tsc");
if (existsSync(compiler)) {
  execFileSync(process.execPath, [compiler, "-p", join(here, "react")], { stdio: "inherit" });
}

const compressed = async (path) => gzipSync(await readFile(path), { level: 9 }).length;
const client = await compressed(join(outdir, "spanfeed.js"));
const parts = (await readdir(dist)).filter((name) => name.endsWith(".js")).map((name) => compressed(join(dist, name)));
const whole = (await Promise.all(parts)).reduce((sum, length) => sum + length);
const dashboard = (await compressed(join(outdir, "dashboard.js"))) + (await compressed(join(outdir, "dashboard.css")));
for (const [name, length, limit] of [
  ["spanfeed.js", client, CLIENT_LIMIT_BYTES],
  ["spanfeed-react, on top of that,", whole - client, REACT_LIMIT_BYTES],
  ["The dashboard", dashboard, DASHBOARD_LIMIT_BYTES],
]) {
  if (length > limit) {
    console.error(`${name} has ${length} bytes compressed; at most ${limit} are allowed`);
    process.exitCode = 1;
  }
}
