import itertools

from layer.tests.support import ACCOUNT, REGION, GapCase, subset

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/monitoring"
_numbers = itertools.count()


def new_name():
    return f"db-{next(_numbers)}"


def new_instance(rds, name=None, **more):
    request = {
        "DBInstanceIdentifier": name or new_name(),
        "DBInstanceClass": "db.t4g.medium",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "app",
        **more,
    }
    return rds.create_db_instance(**request)["DBInstance"]


def describe(rds, name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def new_cluster(rds, name, **more):
    rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername="app",
        ManageMasterUserPassword=True,
        **more,
    )


def describe_cluster(rds, name):
    return rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


class Instances(GapCase):
    def test_remember_logs_windows_certificate_and_insights(self):
        expected = {
            "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
            "PreferredBackupWindow": "01:00-02:00",
            "CACertificateIdentifier": "rds-ca-ecc384-g1",
            "PerformanceInsightsKMSKeyId": KEY,
        }

        def observe(emulator):
            rds = emulator.client("rds")
            created = new_instance(
                rds,
                EnableCloudwatchLogsExports=["postgresql", "upgrade"],
                PreferredBackupWindow="01:00-02:00",
                CACertificateIdentifier="rds-ca-ecc384-g1",
                EnablePerformanceInsights=True,
                PerformanceInsightsKMSKeyId=KEY,
            )
            return subset(describe(rds, created["DBInstanceIdentifier"]), expected)

        self.assert_closed(observe, expected)

    def test_keep_a_managed_master_password_in_a_secret_under_the_given_key(self):
        def observe(emulator):
            rds = emulator.client("rds")
            created = new_instance(rds, ManageMasterUserPassword=True, MasterUserSecretKmsKeyId=KEY)
            secret = describe(rds, created["DBInstanceIdentifier"])["MasterUserSecret"]
            stored = emulator.client("secretsmanager").describe_secret(SecretId=secret["SecretArn"])
            return secret["SecretStatus"], secret["KmsKeyId"], stored["KmsKeyId"]

        self.assert_closed(observe, ("active", KEY, KEY))

    def test_take_their_master_secret_with_them(self):
        def observe(emulator):
            rds = emulator.client("rds")
            created = new_instance(rds, ManageMasterUserPassword=True)
            arn = created["MasterUserSecret"]["SecretArn"]
            rds.delete_db_instance(
                DBInstanceIdentifier=created["DBInstanceIdentifier"], SkipFinalSnapshot=True
            )
            left = emulator.client("secretsmanager").list_secrets()["SecretList"]
            return arn in [secret["ARN"] for secret in left]

        self.assert_closed(observe, False)

    def test_change_logs_insights_and_password_management_in_place(self):
        def observe(emulator):
            rds = emulator.client("rds")
            name = new_instance(
                rds, EnableCloudwatchLogsExports=["postgresql"], MasterUserPassword="x" * 12
            )["DBInstanceIdentifier"]
            rds.modify_db_instance(
                DBInstanceIdentifier=name,
                ApplyImmediately=True,
                CloudwatchLogsExportConfiguration={
                    "EnableLogTypes": ["upgrade"],
                    "DisableLogTypes": ["postgresql"],
                },
                EnablePerformanceInsights=True,
                ManageMasterUserPassword=True,
                DBParameterGroupName="default.postgres16",
            )
            found = describe(rds, name)
            return (
                found["EnabledCloudwatchLogsExports"],
                found["PerformanceInsightsEnabled"],
                found["DBParameterGroups"][0]["ParameterApplyStatus"],
                found["MasterUserSecret"]["SecretStatus"],
            )

        self.assert_closed(observe, (["upgrade"], True, "in-sync", "active"))

    def test_are_found_by_resource_id(self):
        def observe(emulator):
            rds = emulator.client("rds")
            wanted, _other = new_instance(rds), new_instance(rds)
            found = rds.describe_db_instances(
                Filters=[{"Name": "dbi-resource-id", "Values": [wanted["DbiResourceId"]]}]
            )["DBInstances"]
            names = [instance["DBInstanceIdentifier"] for instance in found]
            return names == [wanted["DBInstanceIdentifier"]]

        self.assert_closed(observe, True)


class Replicas(GapCase):
    def test_have_settings_of_their_own(self):
        expected = {
            "DBInstanceClass": "db.t4g.small",
            "EnabledCloudwatchLogsExports": ["postgresql"],
            "MonitoringInterval": 60,
            "MonitoringRoleArn": ROLE,
            "BackupRetentionPeriod": 0,
            "MultiAZ": False,
            "DeletionProtection": False,
            "MasterUserSecret": None,
        }

        def observe(emulator):
            rds = emulator.client("rds")
            source = new_instance(
                rds,
                MultiAZ=True,
                DeletionProtection=True,
                BackupRetentionPeriod=7,
                ManageMasterUserPassword=True,
            )["DBInstanceIdentifier"]
            replica = new_name()
            rds.create_db_instance_read_replica(
                SourceDBInstanceIdentifier=source,
                DBInstanceIdentifier=replica,
                DBInstanceClass="db.t4g.small",
                EnableCloudwatchLogsExports=["postgresql"],
                MonitoringInterval=60,
                MonitoringRoleArn=ROLE,
            )
            return subset(describe(rds, replica), expected)

        self.assert_closed(observe, expected)

    def test_leave_their_source_when_deleted(self):
        def observe(emulator):
            rds = emulator.client("rds")
            source, replica = new_instance(rds)["DBInstanceIdentifier"], new_name()
            rds.create_db_instance_read_replica(
                SourceDBInstanceIdentifier=source, DBInstanceIdentifier=replica
            )
            rds.delete_db_instance(DBInstanceIdentifier=replica, SkipFinalSnapshot=True)
            return describe(rds, source)["ReadReplicaDBInstanceIdentifiers"]

        self.assert_closed(observe, [])


class Clusters(GapCase):
    def test_remember_logs_and_when_they_pause(self):
        expected = {
            "EnabledCloudwatchLogsExports": ["postgresql"],
            "ServerlessV2ScalingConfiguration": {
                "MinCapacity": 0.0,
                "MaxCapacity": 4.0,
                "SecondsUntilAutoPause": 300,
            },
        }

        def observe(emulator):
            rds, name = emulator.client("rds"), new_name()
            new_cluster(
                rds,
                name,
                EnableCloudwatchLogsExports=["postgresql"],
                ServerlessV2ScalingConfiguration={
                    "MinCapacity": 0,
                    "MaxCapacity": 4,
                    "SecondsUntilAutoPause": 300,
                },
            )
            return subset(describe_cluster(rds, name), expected)

        self.assert_closed(observe, expected)

    def test_change_logs_and_capacity_in_place(self):
        expected = {
            "EnabledCloudwatchLogsExports": ["instance"],
            "ServerlessV2ScalingConfiguration": {
                "MinCapacity": 0.0,
                "MaxCapacity": 2.0,
                "SecondsUntilAutoPause": 600,
            },
        }

        def observe(emulator):
            rds, name = emulator.client("rds"), new_name()
            new_cluster(
                rds,
                name,
                EnableCloudwatchLogsExports=["postgresql"],
                ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4},
            )
            rds.modify_db_cluster(
                DBClusterIdentifier=name,
                ApplyImmediately=True,
                CloudwatchLogsExportConfiguration={
                    "EnableLogTypes": ["instance"],
                    "DisableLogTypes": ["postgresql"],
                },
                ServerlessV2ScalingConfiguration={
                    "MinCapacity": 0,
                    "MaxCapacity": 2,
                    "SecondsUntilAutoPause": 600,
                },
            )
            return subset(describe_cluster(rds, name), expected)

        self.assert_closed(observe, expected)

    def test_keep_their_endpoints_when_an_instance_joins(self):
        def observe(emulator):
            rds, name = emulator.client("rds"), new_name()
            new_cluster(rds, name)
            endpoints = ("Endpoint", "ReaderEndpoint", "Port")
            before = subset(describe_cluster(rds, name), endpoints)
            rds.create_db_instance(
                DBInstanceIdentifier=new_name(),
                DBClusterIdentifier=name,
                DBInstanceClass="db.serverless",
                Engine="aurora-postgresql",
            )
            return subset(describe_cluster(rds, name), endpoints) == before

        self.assert_closed(observe, True)
