# The project's environment, for bash: `source tools/env.sh` in a shell; the Makefile loads it into every recipe.
# It puts the pinned tools first on PATH and keeps them from calling home.

_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case ":$PATH:" in
*":$_root/.tools/bin:"*) ;;
*) PATH=$_root/.tools/bin:$PATH ;;
esac
export PATH
export CHECKPOINT_DISABLE=1    # no version look-ups by Terraform and cdktf
export TF_IN_AUTOMATION=1      # no "now run terraform apply" hints; the Makefile names the next step
export DISABLE_VERSION_CHECK=1 # the cdktf CLI's pinned version is the one wanted

# tools/install.sh writes this file where Terraform's providers come from a local mirror instead of the registry.
if [ -f "$_root/.tools/terraformrc" ]; then
  export TF_CLI_CONFIG_FILE=$_root/.tools/terraformrc
fi
unset _root
