#!/usr/bin/env bash
# `make test-vscode`: sets up what is missing, then runs the scenarios given, or all of them.
set -euo pipefail
cd "$(dirname "$0")"
cache=${TENON_E2E_CACHE:-$(cd ../.. && pwd)/.cache/vscode-e2e}
mkdir -p "$cache"

status=0
./setup.sh "$cache" | tee "$cache/setup.log" || status=$?
if [ "$status" -eq 75 ]; then  # something cannot be had on this machine: no failure of the extension
  echo "skipped: $(tail -n 1 "$cache/setup.log")"
  echo "vscode: 0 passed, 0 failed, 1 skipped"
  exit 0
fi
[ "$status" -eq 0 ] || exit "$status"
TENON_E2E_CACHE=$cache exec npx vitest run "$@"
