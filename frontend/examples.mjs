// Bundles the examples for React and Vue into a folder, as other people's bundlers would: node examples.mjs FOLDER.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compileScript, parse } from "vue/compiler-sfc";

const here = dirname(fileURLToPath(import.meta.url));

/** A component's file becomes one module, its template within. */
const vue = {
  name: "vue",
  setup(builder) {
    builder.onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, "utf8"), { filename: path });
      if (errors.length > 0) throw errors[0];
      const { content } = compileScript(descriptor, { id: "example", inlineTemplate: true });
      return { contents: content, loader: "ts", resolveDir: dirname(path) };
    });
  },
};

await build({
  absWorkingDir: here,
  entryPoints: { react: "../examples/react/App.tsx", vue: "../examples/vue/main.ts" },
  outdir: process.argv[2],
  bundle: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  logLevel: "warning",
  nodePaths: [join(here, "node_modules")],
  alias: {
    "spanfeed-react/client": join(here, "client", "index.ts"),
    "spanfeed-react": join(here, "react", "index.ts"),
  },
  define: {
    "process.env.NODE_ENV": '"production"',
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
  plugins: [vue],
});
