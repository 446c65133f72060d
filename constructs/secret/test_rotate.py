"""Tests rotate.py against a stand-in for Secrets Manager, because no emulator calls the function: it refuses what AWS refuses."""

import unittest

import rotate


class NotFound(Exception):
    pass


class SecretsManager:
    """One secret, with AWS's rules for versions and their staging labels."""

    class exceptions:
        ResourceNotFoundException = NotFound

    def __init__(self, versions=None):
        self.versions = versions or {}  # id -> {"stages": [...], "value": ... or None}
        self.passwords = 0

    def describe_secret(self, SecretId):
        if not self.versions:
            return {}
        return {"VersionIdsToStages": {i: list(v["stages"]) for i, v in self.versions.items() if v["stages"]}}

    def get_secret_value(self, SecretId, VersionId, VersionStage):
        v = self.versions.get(VersionId)
        if v is None or v["value"] is None or VersionStage not in v["stages"]:
            raise NotFound
        return {"SecretString": v["value"]}

    def get_random_password(self, PasswordLength, ExcludePunctuation):
        self.passwords += 1
        return {"RandomPassword": ("%02d" % self.passwords) + "x" * (PasswordLength - 2)}

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):
        v = self.versions.setdefault(ClientRequestToken, {"stages": [], "value": None})
        if v["value"] not in (None, SecretString):
            raise AssertionError("ResourceExistsException: a version cannot be changed")
        v["value"] = SecretString
        for stage in VersionStages:
            for other in self.versions.values():
                if stage in other["stages"]:
                    other["stages"].remove(stage)
            v["stages"].append(stage)

    def update_secret_version_stage(self, SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId=None):
        holders = [i for i, v in self.versions.items() if VersionStage in v["stages"]]
        if holders and holders != [RemoveFromVersionId]:
            raise AssertionError("InvalidParameterException: name the version that has the stage now")
        if not holders and RemoveFromVersionId:
            raise AssertionError("InvalidParameterException: that version does not have the stage")
        if RemoveFromVersionId:
            self.versions[RemoveFromVersionId]["stages"].remove(VersionStage)
            for v in self.versions.values():
                if "AWSPREVIOUS" in v["stages"]:
                    v["stages"].remove("AWSPREVIOUS")
            self.versions[RemoveFromVersionId]["stages"].append("AWSPREVIOUS")
        self.versions[MoveToVersionId]["stages"].append(VersionStage)

    def begin(self, version):
        """What RotateSecret does before it calls the function."""
        for other in self.versions.values():
            if "AWSPENDING" in other["stages"]:
                other["stages"].remove("AWSPENDING")
        self.versions[version] = {"stages": ["AWSPENDING"], "value": None}

    def current(self):
        return [v["value"] for v in self.versions.values() if "AWSCURRENT" in v["stages"]]


def run(client, version, *steps):
    for step in steps or ("createSecret", "setSecret", "testSecret", "finishSecret"):
        rotate.rotate(client, {"SecretId": "s", "ClientRequestToken": version, "Step": step})


class Rotation(unittest.TestCase):
    def test_the_first_rotation_gives_an_empty_secret_its_value(self):
        client = SecretsManager()
        client.begin("v1")
        run(client, "v1")
        self.assertEqual([len(v) for v in client.current()], [64])

    def test_a_rotation_keeps_the_value_before_as_the_previous_one(self):
        client = SecretsManager()
        for version in ("v1", "v2", "v3"):
            client.begin(version)
            run(client, version)
        self.assertIn("AWSCURRENT", client.versions["v3"]["stages"])
        self.assertIn("AWSPREVIOUS", client.versions["v2"]["stages"])
        self.assertEqual(client.versions["v1"]["stages"], [])
        self.assertEqual(len({v["value"] for v in client.versions.values()}), 3)

    def test_a_step_that_is_called_again_changes_nothing(self):
        client = SecretsManager()
        client.begin("v1")
        run(client, "v1", "createSecret", "createSecret", "setSecret", "testSecret", "testSecret", "finishSecret", "finishSecret", "createSecret")
        self.assertEqual(client.passwords, 1)
        self.assertEqual(len(client.current()), 1)

    def test_a_version_that_is_not_pending_is_refused(self):
        for versions in ({}, {"v1": {"stages": ["AWSPREVIOUS"], "value": "x"}}):
            with self.assertRaises(ValueError):
                run(SecretsManager(versions), "v1")

    def test_a_value_that_is_not_ours_never_becomes_current(self):
        client = SecretsManager({"v1": {"stages": ["AWSPENDING"], "value": "short"}})
        with self.assertRaises(ValueError):
            run(client, "v1")
        self.assertEqual(client.current(), [])

    def test_an_unknown_step_is_refused(self):
        client = SecretsManager()
        client.begin("v1")
        with self.assertRaises(KeyError):
            run(client, "v1", "deleteSecret")


if __name__ == "__main__":
    unittest.main()
