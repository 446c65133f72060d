#!/usr/bin/env bash
# Runs terraform with the project's settings. What it fails with is also told on the page of the workflow's run.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/../../tools/env.sh"
export TF_INPUT=false TF_CLI_ARGS=-no-color

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
code=0
terraform "$@" 2>"$errors" || code=$?
cat "$errors" >&2
if [ "$code" != 0 ]; then
  { echo "#### terraform $* failed" && echo && sed 's/^/    /' "$errors" && echo; } >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
