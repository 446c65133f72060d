#!/usr/bin/env bash
# The pinned cdktf CLI on the pinned Node.js. Where Terraform's providers come from a local mirror
# (.tools/terraformrc), the CLI must not ask the public registry for their checksums.
tools=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.tools" && pwd)
cdktf=("$tools/bin/node" "$tools/npm/node_modules/cdktf-cli/bundle/bin/cdktf" "$@")
case "${1:-}" in
deploy | diff | destroy | output)
  [ -f "$tools/terraformrc" ] && cdktf+=(--skip-provider-lock)
  ;;
esac
exec "${cdktf[@]}"
