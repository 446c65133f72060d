#!/usr/bin/env bash
# Lints the workflows: every action of others pinned by a full SHA with its version beside it, actionlint, zizmor.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/env.sh

if grep -rnE '^[^#]*\buses:' .github --include='*.yml' |
  grep -vE 'uses: (\./[^@ ]+|[^@ ]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+)( *|  # .*)$'; then
  echo "pin each of these to a commit, with its version beside it: owner/action@<40 hex digits> # v1.2.3" >&2
  exit 1
fi

actionlint

# actionlint knows the inputs of an action by its major version: it checks a copy in which that stands for the commit.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r .github "$copy"
find "$copy" -name '*.yml' -exec sed -i -E 's/@[0-9a-f]{40} # (v[0-9]+)\.[0-9.]+/@\1/' {} +
(cd "$copy" && git init --quiet && actionlint)

.tools/zizmor/bin/zizmor --offline --quiet .github
