#!/usr/bin/env bash
# What the shop runs on and is tested with, from the operating system: a container engine, PostgreSQL, a browser. What is
# missing is installed where that is possible without asking (root on Debian); elsewhere it is named, and whatever
# cannot do without it says so.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=() # Debian's packages
need() { # PACKAGES TEST...
  local packages=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=($packages)
}

engine() { docker version || { command -v podman && command -v runc && [ -e /usr/lib/podman/netavark ] && command -v catatonit; }; }
postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' || command -v postgres; }

need docker.io command -v docker
need "podman runc netavark aardvark-dns catatonit iptables" engine
need busybox-static command -v busybox
need postgresql postgres
need chromium command -v "${CHROMIUM:-chromium}"

[ ${#missing[@]} -eq 0 ] && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]} ..."
  mkdir -p .tools
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } >.tools/system.log 2>&1; then
    exit
  fi
  tail -n 20 .tools/system.log >&2
fi
echo "not on this machine, by Debian's names: ${missing[*]}" >&2
