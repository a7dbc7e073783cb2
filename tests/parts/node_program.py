"""A program in TypeScript that uses the frontend's own files, bundled as the page is, for Node.js."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.parts.missing import missing
from tests.parts.stack import ROOT

_FRONTEND = ROOT / "frontend"
_BUNDLE = """
import { build } from "esbuild";
const stdin = { contents: process.argv[1], resolveDir: process.cwd(), loader: "ts" };
await build({ stdin, outfile: process.argv[2], bundle: true, format: "esm", platform: "node", logLevel: "error" });
"""


def node_program(source: str, folder: Path) -> list[str]:
    """The command that runs `source`, whose imports are relative to `frontend/`."""
    node = shutil.which("node")
    if node is None or not (_FRONTEND / "node_modules" / "esbuild").is_dir():
        missing("Node.js with the page's packages")
    bundle = folder / "program.mjs"
    command = [node, "--input-type=module", "-e", _BUNDLE, "--", source, str(bundle)]
    subprocess.run(command, cwd=_FRONTEND, check=True, timeout=60)
    return [node, str(bundle)]
