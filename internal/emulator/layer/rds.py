"""RDS: what an instance, a replica and a cluster forget, and managed master passwords."""

import json
import secrets
import uuid

from ministack.services import kms, secretsmanager
from ministack.services import rds as service

from layer import query
from layer.wrapping import succeeded, wrap

LOG_EXPORTS = "EnabledCloudwatchLogsExports"
MASTER_SECRET = "MasterUserSecret"
PAUSE = "SecondsUntilAutoPause"
REPLICAS = "ReadReplicaDBInstanceIdentifiers"


def _number(params, name):
    return int(query.value(params, name))


# Attributes ministack drops from every request: parameter, attribute, reader.
ALWAYS_DROPPED = (
    ("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade", query.flag),
    ("DatabaseInsightsMode", "DatabaseInsightsMode", query.value),
    ("EnablePerformanceInsights", "PerformanceInsightsEnabled", query.flag),
    ("PerformanceInsightsKMSKeyId", "PerformanceInsightsKMSKeyId", query.value),
    ("PerformanceInsightsRetentionPeriod", "PerformanceInsightsRetentionPeriod", _number),
)
# Attributes it drops when an instance or a replica is created.
DROPPED_AT_CREATION = ALWAYS_DROPPED + (
    ("CACertificateIdentifier", "CACertificateIdentifier", query.value),
    ("CopyTagsToSnapshot", "CopyTagsToSnapshot", query.flag),
    ("DeletionProtection", "DeletionProtection", query.flag),
    ("EnableIAMDatabaseAuthentication", "IAMDatabaseAuthenticationEnabled", query.flag),
    ("EngineLifecycleSupport", "EngineLifecycleSupport", query.value),
    ("MonitoringInterval", "MonitoringInterval", _number),
    ("MonitoringRoleArn", "MonitoringRoleArn", query.value),
    ("MultiAZ", "MultiAZ", query.flag),
    ("PreferredBackupWindow", "PreferredBackupWindow", query.value),
    ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow", query.value),
    ("PubliclyAccessible", "PubliclyAccessible", query.flag),
)
# What a replica has unless its request says otherwise.
REPLICA_DEFAULTS = {
    "AutoMinorVersionUpgrade": True,
    "BackupRetentionPeriod": 0,
    "CopyTagsToSnapshot": False,
    "DeletionProtection": False,
    "IAMDatabaseAuthenticationEnabled": False,
    "MonitoringInterval": 0,
    "MonitoringRoleArn": "",
    "MultiAZ": False,
    "PerformanceInsightsEnabled": False,
    "PerformanceInsightsKMSKeyId": "",
    "PubliclyAccessible": False,
}


def _instance(identifier):
    return service._instances.get(identifier)


def _keep(instance, params, attributes):
    """Writes what was sent of the attributes into the instance."""
    for parameter, attribute, read in attributes:
        if query.value(params, parameter):
            instance[attribute] = read(params, parameter)
    instance["CertificateDetails"] = {
        **instance["CertificateDetails"],
        "CAIdentifier": instance["CACertificateIdentifier"],
    }


def _answer(action, instance):
    return service._single_instance_response(f"{action}Response", f"{action}Result", instance)


# Creating an instance --------------------------------------------------------
#
# Stock: log exports, the backup window, the certificate authority and the key
#        of Performance Insights are dropped; a managed master password is
#        ignored.
# AWS:   they are returned, and RDS keeps the password in a secret of its own.
# Needed: aws_db_instance plans each again, and manage_master_user_password
#        yields no master_user_secret to refer to.


@wrap(service, "_create_db_instance")
def create_instance(stock, params):
    password = secrets.token_urlsafe(24)
    if query.flag(params, "ManageMasterUserPassword"):
        params = {**params, "MasterUserPassword": password}
    response = stock(params)
    instance = _instance(query.value(params, "DBInstanceIdentifier"))
    if instance is None or not succeeded(response):
        return response
    _keep(instance, params, DROPPED_AT_CREATION)
    instance[LOG_EXPORTS] = query.members(params, "EnableCloudwatchLogsExports")
    if query.flag(params, "ManageMasterUserPassword"):
        instance[MASTER_SECRET] = _create_master_secret(instance, params, password)
    return _answer("CreateDBInstance", instance)


# Read replicas ---------------------------------------------------------------
#
# Stock: a replica is a copy of its source; what the request says is ignored.
# AWS:   class, logs, monitoring, availability and parameter group are the
#        replica's own, it has no backups unless asked for, and no secret.
# Needed: aws_db_instance with replicate_source_db.


@wrap(service, "_create_read_replica")
def create_replica(stock, params):
    response = stock(params)
    replica = _instance(query.value(params, "DBInstanceIdentifier"))
    if replica is None or not succeeded(response):
        return response
    replica.pop(MASTER_SECRET, None)
    replica.update(REPLICA_DEFAULTS)
    replica.update(
        DBInstanceClass=query.value(params, "DBInstanceClass", replica["DBInstanceClass"]),
        KmsKeyId=query.value(params, "KmsKeyId", replica["KmsKeyId"]),
        StorageType=query.value(params, "StorageType", replica["StorageType"]),
    )
    replica[LOG_EXPORTS] = query.members(params, "EnableCloudwatchLogsExports")
    if group := query.value(params, "DBParameterGroupName"):
        replica["DBParameterGroups"] = [
            {"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}
        ]
    if groups := service._parse_member_list(params, "VpcSecurityGroupIds"):
        replica["VpcSecurityGroups"] = [
            {"VpcSecurityGroupId": group, "Status": "active"} for group in groups
        ]
    _keep(replica, params, DROPPED_AT_CREATION)
    return _answer("CreateDBInstanceReadReplica", replica)


# Changing an instance --------------------------------------------------------
#
# Stock: log exports, Performance Insights and the switch to a managed password
#        are ignored; a changed parameter group stays "applying" for ever.
# AWS:   they are applied; the group ends in sync.
# Needed: updates in place of aws_db_instance.


@wrap(service, "_modify_db_instance")
def modify_instance(stock, params):
    response = stock(params)
    identifier = query.value(params, "DBInstanceIdentifier")
    instance = service._resolve_instance(identifier)
    if instance is None or not succeeded(response):
        return response
    _keep(instance, params, ALWAYS_DROPPED)
    _change_log_exports(instance, params)
    for group in instance["DBParameterGroups"]:
        if group["ParameterApplyStatus"] == "applying":
            group["ParameterApplyStatus"] = "in-sync"
    _change_master_secret(instance, params)
    return _answer("ModifyDBInstance", instance)


def _change_log_exports(record, params):
    change = "CloudwatchLogsExportConfiguration"
    disabled = query.members(params, f"{change}.DisableLogTypes")
    enabled = query.members(params, f"{change}.EnableLogTypes")
    kept = [log for log in record.get(LOG_EXPORTS, []) if log not in disabled]
    record[LOG_EXPORTS] = kept + [log for log in enabled if log not in kept]


def _change_master_secret(instance, params):
    managed = query.value(params, "ManageMasterUserPassword")
    if managed == "true" and not instance.get(MASTER_SECRET):
        instance[MASTER_SECRET] = _create_master_secret(
            instance, params, instance["_MasterUserPassword"]
        )
    if managed == "false":
        _delete_master_secret(instance)


# Deleting an instance --------------------------------------------------------
#
# Stock: a replica stays listed at its source, and there is no secret to delete.
# AWS:   both go with the instance.
# Needed: the source of a deleted replica shows a change, and the secret would
#        be left behind by terraform destroy.


@wrap(service, "_delete_db_instance")
def delete_instance(stock, params):
    identifier = query.value(params, "DBInstanceIdentifier")
    instance = service._resolve_instance(identifier)
    response = stock(params)
    if instance is None or not succeeded(response):
        return response
    _delete_master_secret(instance)
    source = _instance(instance.get("ReadReplicaSourceDBInstanceIdentifier"))
    if source is not None:
        source[REPLICAS] = [
            replica for replica in source[REPLICAS] if replica != instance["DBInstanceIdentifier"]
        ]
    return response


def _create_master_secret(instance, params, password):
    name = f"rds!db-{uuid.uuid4()}"
    content = {"username": instance["MasterUsername"], "password": password}
    arn = secretsmanager.create_secret_in_process(
        name,
        json.dumps(content),
        description="The secret associated with the primary RDS DB instance: "
        + instance["DBInstanceArn"],
    )
    key = query.value(params, "MasterUserSecretKmsKeyId")
    if key:
        _, secret = secretsmanager._resolve(arn)
        secret["KmsKeyId"] = key
    return {
        "SecretArn": arn,
        "SecretStatus": "active",
        "KmsKeyId": key or kms._resolve_key("alias/aws/secretsmanager")["Arn"],
    }


def _delete_master_secret(instance):
    secret = instance.pop(MASTER_SECRET, None)
    if secret:
        secretsmanager.delete_secret_in_process(secret["SecretArn"])


# Reading instances -----------------------------------------------------------
#
# Stock: log exports are always empty, the secret and the key of Performance
#        Insights are missing; the filter dbi-resource-id matches everything.
# AWS:   all are returned, and the filter finds one instance.
# Needed: aws_db_instance is read by its resource id.


@wrap(service, "_instance_xml")
def instance_xml(stock, instance):
    text = stock(instance).replace(
        f"<{LOG_EXPORTS}/>", query.element(LOG_EXPORTS, instance.get(LOG_EXPORTS, []))
    )
    added = (
        MASTER_SECRET,
        "DatabaseInsightsMode",
        "EngineLifecycleSupport",
        "PerformanceInsightsKMSKeyId",
    )
    for attribute in added:
        if instance.get(attribute):
            text += query.element(attribute, instance[attribute])
    return text


@wrap(service, "_apply_instance_filters")
def filter_instances(stock, instances, filters):
    found = stock(instances, filters)
    if resource_ids := filters.get("dbi-resource-id"):
        found = [instance for instance in found if instance["DbiResourceId"] in resource_ids]
    return found


# Aurora clusters -------------------------------------------------------------
#
# Stock: log exports are dropped, and of the capacity of Serverless v2 the time
#        after which a cluster pauses.
# AWS:   both are returned; the time for clusters that may go down to 0 only.
# Needed: aws_rds_cluster plans them again.


@wrap(service, "_create_db_cluster")
def create_cluster(stock, params):
    response = stock(params)
    cluster = service._clusters.get(query.value(params, "DBClusterIdentifier"))
    if cluster is None or not succeeded(response):
        return response
    cluster[LOG_EXPORTS] = query.members(params, "EnableCloudwatchLogsExports")
    return _cluster_answer("CreateDBCluster", cluster)


@wrap(service, "_modify_db_cluster")
def modify_cluster(stock, params):
    response = stock(params)
    cluster = service._resolve_cluster(query.value(params, "DBClusterIdentifier"))
    if cluster is None or not succeeded(response):
        return response
    _change_log_exports(cluster, params)
    return _cluster_answer("ModifyDBCluster", cluster)


def _cluster_answer(action, cluster):
    return service._xml(
        200,
        f"{action}Response",
        f"<{action}Result><DBCluster>{service._cluster_xml(cluster)}</DBCluster></{action}Result>",
    )


@wrap(service, "_serverlessv2_from_params")
def scaling_from_params(stock, params):
    scaling = stock(params)
    pause = query.value(params, f"ServerlessV2ScalingConfiguration.{PAUSE}")
    if scaling and pause:
        scaling[PAUSE] = int(pause)
    return scaling


@wrap(service, "_serverlessv2_xml")
def scaling_xml(stock, cluster):
    scaling = cluster.get("ServerlessV2ScalingConfiguration")
    if not scaling:
        return stock(cluster)
    return query.element("ServerlessV2ScalingConfiguration", scaling)


@wrap(service, "_cluster_xml")
def cluster_xml(stock, cluster):
    return stock(cluster) + query.element(LOG_EXPORTS, cluster.get(LOG_EXPORTS, []))


# The endpoints of a cluster --------------------------------------------------
#
# Stock: they change to the emulator's own address when the first instance joins.
# AWS:   they are what the cluster was created with.
# Needed: whatever refers to them changes in a second plan. Where a container
#        really runs, its address is the one that can be reached: it is left.


@wrap(service, "_sync_cluster_endpoints")
def keep_endpoints(stock, cluster):
    if cluster.get("_shared_container_id"):
        stock(cluster)
