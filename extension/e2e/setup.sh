#!/usr/bin/env bash
# Brings what the end-to-end tests need and this machine lacks: Chromium, ripgrep, and VS Code's real
# workbench (code-server) under the folder given. Does nothing where all is there.
# Exit 75: something cannot be had here; the last line says what, and the tests skip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:?usage: setup.sh CACHE_FOLDER}
version=4.100.3  # the last one for Node 20; VS Code 1.100
server=$cache/code-server-$version

unavailable() { echo "$1"; exit 75; }

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
missing=()
browser >/dev/null || missing+=(chromium)
command -v rg >/dev/null || missing+=(ripgrep)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] ||
    unavailable "install ${missing[*]} first: there is no apt-get here, or no right to use it"
  echo "Installing ${missing[*]}."
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >"$cache.apt.log" 2>&1 || unavailable "apt-get could not install ${missing[*]}: see $cache.apt.log"
fi
# Only for the looks of the pictures, so what cannot be had is left out.
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] && [ ! -e "$cache/fonts" ]; then
  mkdir -p "$cache"
  apt-get install -y -qq --no-install-recommends fonts-inter fonts-jetbrains-mono >/dev/null 2>&1 || true
  touch "$cache/fonts"
fi

[ "$(node -p 'process.versions.node.split(".")[0]')" -eq 20 ] ||
  unavailable "code-server $version needs Node 20, not $(node --version)"

if [ ! -e "$server/.complete" ]; then
  echo "Installing code-server $version."
  rm -rf "$server"
  mkdir -p "$server"
  cd "$server"
  echo '{"private": true}' >package.json
  # Install scripts would download; the parts that need building are built below. Node's own headers
  # are used where they are installed, since they cannot be downloaded everywhere.
  headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ ! -e "$headers/include/node/node.h" ] || export npm_config_nodedir=$headers
  quiet=(--ignore-scripts --no-audit --no-fund --loglevel=error)
  npm install "${quiet[@]}" "code-server@$version" || unavailable "npm could not install code-server"
  npm_config_build_from_source=true npm rebuild argon2 >rebuild.log 2>&1 ||
    unavailable "argon2 could not be compiled: see $server/rebuild.log"
  cd node_modules/code-server/lib/vscode
  npm install "${quiet[@]}" --omit=dev
  npm rebuild @vscode/spdlog native-watchdog >>"$server/rebuild.log" 2>&1 || true  # log files, quieter stderr
  # What code-server's own install script would have put in place.
  ln -sfn node_modules node_modules.asar
  ln -sf code-linux.sh bin/remote-cli/code-server
  ln -sf browser-linux.sh bin/helpers/browser.sh
  mkdir -p node_modules/@vscode/ripgrep/bin
  ln -sf "$(command -v rg)" node_modules/@vscode/ripgrep/bin/rg
  touch "$server/.complete"
fi

if [ ! -e "$here/node_modules/.package-lock.json" ] ||
  [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then
  (cd "$here" && npm ci --no-audit --no-fund --loglevel=error) || unavailable "npm ci failed in $here"
fi
