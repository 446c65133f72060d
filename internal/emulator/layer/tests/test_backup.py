import json
import uuid

from layer.tests.support import GapCase

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "backup:DeleteRecoveryPoint",
            "Resource": "*",
        }
    ],
}


def new_vault(backup):
    name = f"vault-{uuid.uuid4()}"
    backup.create_backup_vault(BackupVaultName=name)
    backup.put_backup_vault_access_policy(BackupVaultName=name, Policy=json.dumps(POLICY))
    return name


def has_policy(backup, name):
    try:
        backup.get_backup_vault_access_policy(BackupVaultName=name)
    except backup.exceptions.ResourceNotFoundException:
        return False
    return True


class Vaults(GapCase):
    def test_keep_their_access_policy(self):
        def observe(emulator):
            backup = emulator.client("backup")
            found = backup.get_backup_vault_access_policy(BackupVaultName=new_vault(backup))
            return json.loads(found["Policy"])

        self.assert_closed(observe, POLICY)

    def test_lose_their_access_policy_when_told_to(self):
        def observe(emulator):
            backup = emulator.client("backup")
            name = new_vault(backup)
            before = has_policy(backup, name)
            backup.delete_backup_vault_access_policy(BackupVaultName=name)
            return before, has_policy(backup, name)

        self.assert_closed(observe, (True, False))

    def test_take_their_access_policy_with_them(self):
        def observe(emulator):
            backup = emulator.client("backup")
            name = new_vault(backup)
            backup.delete_backup_vault(BackupVaultName=name)
            backup.create_backup_vault(BackupVaultName=name)
            return has_policy(backup, name)

        self.assert_closed(observe, False)
