#!/bin/sh
# Installs what the tests want from the operating system, where that can be done; the tests themselves
# decide what a missing program means.
set -eu
wanted=
[ -n "$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)" ] || wanted="$wanted chromium"
[ -n "$(ls /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf 2>/dev/null || true)" ] || wanted="$wanted fonts-noto-color-emoji"
[ -n "$(command -v redis-server || command -v valkey-server || true)" ] || wanted="$wanted redis-server"
[ -n "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || true)" ] || wanted="$wanted postgresql"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || wanted="$wanted rabbitmq-server"
[ -n "$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null || true)" ] || wanted="$wanted faketime"
[ -n "$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)" ] || wanted="$wanted nginx"
[ -n "$(command -v haproxy || ls /usr/sbin/haproxy 2>/dev/null || true)" ] || wanted="$wanted haproxy"
[ -n "$(command -v openssl || true)" ] || wanted="$wanted openssl"

[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing, and their tests with them:$wanted"
    exit 0
fi
# A word of the list that cannot be had must not keep the others away.
.venv/bin/python scripts/progress.py "Installing$wanted" "${SPANFEED_HOME:-var}/logs/setup.log" -- sh -c "
    export DEBIAN_FRONTEND=noninteractive
    apt-get update || true
    for name in $wanted; do apt-get install -y --no-install-recommends \$name || echo \"\$name was not installed\"; done
" || true
