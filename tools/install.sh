#!/usr/bin/env bash
# Installs the pinned tools into .tools/ (ignored by git). Nothing outside the repository is touched, and what is
# already there at the pinned version is left alone, so it may run before every command. With the argument `scanners` it also
# builds what only the tests of the pipelines run, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p .tools/bin

for need in "go:https://go.dev/dl/" "npm:https://nodejs.org/" "python3:https://www.python.org/downloads/" \
  "terraform:https://developer.hashicorp.com/terraform/install"; do
  command -v "${need%%:*}" >/dev/null || { echo "${need%%:*} is needed and not on PATH: see ${need#*:}" >&2; exit 1; }
done

# once NAME FILE COMMAND...: runs COMMAND unless it has succeeded for this very FILE before.
once() {
  local name=$1 file=$2 stamp=.tools/.$1.sha256 log=.tools/$1.log sum
  shift 2
  sum=$(sha256sum "$file" | cut -d' ' -f1)
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  echo "installing $name ($file) ..."
  rm -f "$stamp"
  if ! "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "could not install $name: the log is $log" >&2
    exit 1
  fi
  echo "$sum" >"$stamp"
}

# Install scripts run for the package `node` alone, which fetches the binary for this machine. The others would be built for
# the Node.js that npm runs on, not for the one installed here, for which they ship binaries.
install_node() {
  rm -rf .tools/npm && mkdir .tools/npm
  cp tools/package.json tools/package-lock.json .tools/npm/
  (cd .tools/npm && npm ci --ignore-scripts --no-fund --no-audit && npm rebuild node --foreground-scripts)
  ln -sf ../npm/node_modules/.bin/node .tools/bin/node
  ln -sf ../../tools/cdktf.sh .tools/bin/cdktf
}

install_venv() { # NAME REQUIREMENTS
  rm -rf ".tools/$1"
  python3 -m venv ".tools/$1"
  ".tools/$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
}

install_go() { # LIST
  grep -v '^#' "$1" | while read -r tool; do
    GOBIN=$root/.tools/bin GOFLAGS= go install "$tool"
  done
}

# Terraform finds providers in the public registry. Where a directory tree holds them instead (an air-gapped machine),
# TF_FILESYSTEM_MIRROR names it, or it lies in one of the usual places.
find_mirror() {
  local dir
  for dir in ${TF_FILESYSTEM_MIRROR:+"$TF_FILESYSTEM_MIRROR"} /opt/* /usr/local/share/* /usr/share/terraform*; do
    if [ -d "$dir/registry.terraform.io/hashicorp/aws" ]; then
      cat >.tools/terraformrc.next <<RC
provider_installation {
  filesystem_mirror {
    path    = "$dir"
    include = ["registry.terraform.io/hashicorp/aws"]
  }
  direct {
    exclude = ["registry.terraform.io/hashicorp/aws"]
  }
}
RC
      mv .tools/terraformrc.next .tools/terraformrc # at once: others may be reading it
      return
    fi
  done
  rm -f .tools/terraformrc
}

find_mirror
once node tools/package-lock.json install_node
once emulator tools/emulator.txt install_venv emulator tools/emulator.txt
once checkov tools/checkov.txt install_venv checkov tools/checkov.txt
once zizmor tools/zizmor.txt install_venv zizmor tools/zizmor.txt
once go tools/go.txt install_go tools/go.txt
if [ "${1:-}" = scanners ]; then
  once scanners tools/scanners.txt install_go tools/scanners.txt
fi
