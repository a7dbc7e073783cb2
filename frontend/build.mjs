// Builds the page and the stand-alone client into web/static/app/, from which Flask serves them.
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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

await mkdir(outdir, { recursive: true });
await build({ ...shared, entryPoints: { app: "app/main.tsx" }, jsx: "automatic" });
await build({ ...shared, entryPoints: { spanfeed: "client/browser.ts" } });
for (const name of ["index.html", "favicon.svg"]) {
  await copyFile(join(here, "app", name), join(outdir, name));
}
