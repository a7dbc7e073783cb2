// Builds the page and the stand-alone client into web/static/app/, from which Flask serves them.
import { copyFile, mkdir, readFile } from "node:fs/promises";
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

await mkdir(outdir, { recursive: true });
await build({ ...shared, entryPoints: { app: "app/main.tsx" }, jsx: "automatic" });
// What begins with an underscore is private to the client: nobody else needs the names.
await build({ ...shared, entryPoints: { spanfeed: "client/index.ts" }, mangleProps: /^_/ });
for (const name of ["index.html", "favicon.svg"]) {
  await copyFile(join(here, "app", name), join(outdir, name));
}

const { length } = gzipSync(await readFile(join(outdir, "spanfeed.js")), { level: 9 });
if (length > CLIENT_LIMIT_BYTES) {
  console.error(`spanfeed.js has ${length} bytes compressed; at most ${CLIENT_LIMIT_BYTES} are allowed`);
  process.exitCode = 1;
}
