#!/usr/bin/env bash
# Fails where a newer commit was released already: a run that is approved late would take the environment back unasked.
#
#   newest.sh WORKFLOW
set -euo pipefail

# Of pushes only: a fork's pull request may come from a branch that is called main too.
newest=$(gh run list --workflow "$1" --event push --branch main --status success --limit 1 --json headSha --jq '.[0].headSha // ""')
[ -n "$newest" ] || exit 0 # nothing was released yet
relation=$(gh api "repos/$GITHUB_REPOSITORY/compare/$newest...$GITHUB_SHA" --jq .status)
if [ "$relation" != ahead ] && [ "$relation" != identical ]; then
  echo "::error::${newest:0:12} is released, and ${GITHUB_SHA:0:12} is older: nothing was released. To go back, run ./deploy.sh rollback, or release a tag."
  exit 1
fi
