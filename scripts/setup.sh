#!/bin/sh
# Makes .venv and installs the pinned packages into it: `setup.sh` what runs, `setup.sh dev` what tests too.
set -eu
python=${PYTHON:-python3}
log=${SPANFEED_HOME:-var}/logs/setup.log

if ! "$python" -c '' 2>/dev/null; then
    echo "Spanfeed needs Python 3.11 or newer, but $python does not run; choose another: make run PYTHON=…" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Spanfeed needs Python 3.11 or newer, but $python is $version; choose another: make run PYTHON=…" >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "$python cannot make virtual environments; install its venv module (Debian: apt install python3-venv)" >&2
    exit 1
fi

# Scripts in a virtual environment hold its path, so that of a folder that was moved is of no use.
if [ -f .venv/.installed ] && [ "$(cat .venv/.installed)" != "$(pwd -P)" ]; then
    rm -rf .venv
fi
if ! .venv/bin/python -c '' 2>/dev/null; then
    "$python" scripts/progress.py "Making a virtual environment" "$log" -- "$python" -m venv --clear .venv
fi

pip_install() {
    label=$1
    total=$2
    shift 2
    .venv/bin/python scripts/progress.py --count '(Collecting|Ignoring|Requirement already)' --total "$total" \
        "$label" "$log" -- .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        --progress-bar off "$@"
}

requirements=requirements.txt
label="Installing Python packages"
if [ "${1:-}" = dev ]; then
    requirements=requirements-dev.txt
    label="Installing packages for tests"
fi
pip_install "$label" "$(grep -c '^[A-Za-z0-9].*==' "$requirements")" --require-hashes -r "$requirements"
if [ "${1:-}" != dev ]; then
    pip_install "Installing Spanfeed" 0 --no-deps -e .
fi
