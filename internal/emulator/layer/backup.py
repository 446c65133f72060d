"""AWS Backup: the access policy of a vault."""

import json

from ministack.services import backup as service

from layer.wrapping import new_store, wrap

_policies = new_store(service, "vault_policies")


# Stock: PutBackupVaultAccessPolicy and its opposite are unknown, and a vault
#        never has a policy.
# AWS:   the policy is kept with the vault, and goes with it.
# Needed: aws_backup_vault_policy.


@wrap(service, "handle_request")
async def handle_request(stock, method, path, headers, body_bytes, query_params):
    parts = path.strip("/").split("/")
    if parts[0] == "backup-vaults" and parts[2:] == ["access-policy"] and method != "GET":
        return _change_policy(method, parts[1], body_bytes)
    return await stock(method, path, headers, body_bytes, query_params)


def _change_policy(method, vault, body):
    if vault not in service._vaults:
        return service._not_found(f"Vault '{vault}' not found.")
    _policies.pop(vault, None)
    if method == "PUT":
        _policies[vault] = json.loads(body)["Policy"]
    return service._ok({})


@wrap(service, "_get_vault_access_policy")
def get_vault_policy(stock, vault):
    if vault not in _policies:
        return stock(vault)
    return service._ok(
        {
            "BackupVaultName": vault,
            "BackupVaultArn": service._vault_arn(vault),
            "Policy": _policies[vault],
        }
    )


@wrap(service, "_delete_vault")
def delete_vault(stock, vault):
    _policies.pop(vault, None)
    return stock(vault)
