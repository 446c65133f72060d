#!/usr/bin/env bash
# Releases versions and operates an environment, as `./deploy.sh help` says; from any folder.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/tools/env.sh"

# Built and not `go run`, which makes 1 of every exit code.
mkdir -p "$root/.tools/bin"
(cd "$root" && go build -o .tools/bin/deploy ./cmd/deploy) || exit 3
exec "$root/.tools/bin/deploy" "$@"
