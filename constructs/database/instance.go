package database

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbinstance"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbparametergroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbsubnetgroup"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/internal/finding"
)

// logExports are the logs of an instance that CloudWatch gets.
var logExports = []string{"postgresql", "upgrade"}

// instance makes the RDS instance and its read replicas.
func (d *Database) instance(scope constructs.Construct, subnets dbsubnetgroup.DbSubnetGroup) proxyTarget {
	props, name := d.props, d.identifier()
	monitoring := d.monitoringRole(scope).Arn()
	d.Resource = dbinstance.NewDbInstance(scope, jsii.String("instance"), &dbinstance.DbInstanceConfig{
		Identifier:    &name,
		Engine:        jsii.String("postgres"),
		EngineVersion: jsii.String(fmt.Sprint(props.MajorVersion)),
		DbName:        jsii.String(databaseName(props.Name)),
		InstanceClass: &props.InstanceClass,
		Port:          jsii.Number(Port),
		MultiAz:       jsii.Bool(props.MultiAZ),

		AllocatedStorage:    jsii.Number(props.StorageGiB),
		MaxAllocatedStorage: jsii.Number(props.MaxStorageGiB),
		StorageType:         jsii.String("gp3"),
		StorageEncrypted:    jsii.Bool(true),
		KmsKeyId:            props.Key.Arn(),

		Username:                         jsii.String(masterUser),
		ManageMasterUserPassword:         jsii.Bool(true),
		MasterUserSecretKmsKeyId:         props.Key.KeyId(),
		IamDatabaseAuthenticationEnabled: jsii.Bool(true),
		CaCertIdentifier:                 jsii.String(certificate),
		PubliclyAccessible:               jsii.Bool(false),
		DbSubnetGroupName:                subnets.Name(),
		VpcSecurityGroupIds:              &[]*string{d.SecurityGroupID},
		ParameterGroupName:               d.instanceParameters(scope).Name(),

		BackupRetentionPeriod:   jsii.Number(props.BackupRetentionDays),
		BackupWindow:            jsii.String(backupWindow),
		MaintenanceWindow:       jsii.String(maintenanceWindow),
		AutoMinorVersionUpgrade: jsii.Bool(true),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(props.DeletionProtection),
		SkipFinalSnapshot:       jsii.Bool(false),
		FinalSnapshotIdentifier: jsii.String(name + "-final"),

		PerformanceInsightsEnabled:   jsii.Bool(true),
		PerformanceInsightsKmsKeyId:  props.Key.Arn(),
		MonitoringInterval:           jsii.Number(monitoringSeconds),
		MonitoringRoleArn:            monitoring,
		EnabledCloudwatchLogsExports: jsii.Strings(logExports...),
		DependsOn:                    d.logGroups(scope, "log-group", "instance/"+name, logExports),
	})
	finding.Except(d.Resource, instanceExceptions(props)...)
	d.writer = d.endpoint(d.Resource, "database "+props.Name)
	d.master = d.Resource.MasterUserSecret().Get(jsii.Number(0)).SecretArn()
	for i := range props.Replicas {
		replica := d.replica(scope, i+1, monitoring)
		d.Replicas = append(d.Replicas, replica)
		d.readers = append(d.readers, d.endpoint(replica, fmt.Sprintf("replica %d of database %s", i+1, props.Name)))
	}
	return proxyTarget{instance: d.Resource.Identifier()}
}

// replica makes a read replica. What is not said here it has from its source: engine, port, storage, key, subnets, master
// user, parameters, certificate, maintenance window. AWS refuses some of it even when it is the same.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html
func (d *Database) replica(scope constructs.Construct, number int, monitoring *string) dbinstance.DbInstance {
	props, name := d.props, d.replicaIdentifier(number)
	id := fmt.Sprintf("replica-%d", number)
	replica := dbinstance.NewDbInstance(scope, &id, &dbinstance.DbInstanceConfig{
		Identifier:        &name,
		ReplicateSourceDb: d.Resource.Identifier(),
		InstanceClass:     &props.InstanceClass,
		MultiAz:           jsii.Bool(props.MultiAZ),

		MaxAllocatedStorage: jsii.Number(props.MaxStorageGiB),
		StorageType:         jsii.String("gp3"),
		StorageEncrypted:    jsii.Bool(true),

		IamDatabaseAuthenticationEnabled: jsii.Bool(true),
		PubliclyAccessible:               jsii.Bool(false),
		VpcSecurityGroupIds:              &[]*string{d.SecurityGroupID},

		AutoMinorVersionUpgrade: jsii.Bool(true),
		CopyTagsToSnapshot:      jsii.Bool(true),
		// It holds nothing of its own, and AWS takes no final snapshot of a replica.
		SkipFinalSnapshot: jsii.Bool(true),

		PerformanceInsightsEnabled:   jsii.Bool(true),
		PerformanceInsightsKmsKeyId:  props.Key.Arn(),
		MonitoringInterval:           jsii.Number(monitoringSeconds),
		MonitoringRoleArn:            monitoring,
		EnabledCloudwatchLogsExports: jsii.Strings(logExports...),
		DependsOn:                    d.logGroups(scope, id+"-log-group", "instance/"+name, logExports),
	})
	finding.Except(replica, replicaExceptions(props)...)
	return replica
}

func (d *Database) replicaIdentifier(number int) string {
	return fmt.Sprintf("%s-replica-%d", d.identifier(), number)
}

func (d *Database) endpoint(instance dbinstance.DbInstance, name string) endpoint {
	return endpoint{host: instance.Address(), resourceID: instance.ResourceId(), name: name, securityGroupID: d.SecurityGroupID}
}

func (d *Database) instanceParameters(scope constructs.Construct) dbparametergroup.DbParameterGroup {
	var rows []*dbparametergroup.DbParameterGroupParameter
	for _, p := range parameters {
		rows = append(rows, &dbparametergroup.DbParameterGroupParameter{
			Name: jsii.String(p[0]), Value: jsii.String(p[1]), ApplyMethod: jsii.String("immediate"),
		})
	}
	family := fmt.Sprintf("postgres%d", d.props.MajorVersion)
	return dbparametergroup.NewDbParameterGroup(scope, jsii.String("parameters"), &dbparametergroup.DbParameterGroupConfig{
		// The family is in the name because a new major version needs a new group beside the old one.
		Name:        jsii.String(fmt.Sprintf("%s-%s", d.identifier(), family)),
		Description: jsii.String("TLS only, with an audit trail"),
		Family:      &family,
		Parameter:   rows,
		Lifecycle:   &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)},
	})
}

func instanceExceptions(props Props) []finding.Exception {
	rows := standbyExceptions(props)
	if !props.DeletionProtection {
		rows = append(rows, deletable("this environment is taken down and built again at will; a final snapshot is kept")...)
	}
	if props.BackupRetentionDays == 1 {
		rows = append(rows, finding.Exception{
			ID:      "aws-rds-specify-backup-retention",
			Reason:  "this environment holds test data, of which a day is enough to undo a mistake",
			Expires: "2027-11-30",
		})
	}
	return rows
}

func replicaExceptions(props Props) []finding.Exception {
	return append(standbyExceptions(props), deletable("a replica is a copy: an environment that wants fewer must be able to delete one")...)
}

// deletable are the exceptions of an instance without deletion protection.
func deletable(reason string) []finding.Exception {
	return []finding.Exception{
		{ID: "CKV_AWS_293", Reason: reason, Expires: "2027-11-30"},
		{ID: "aws-rds-enable-deletion-protection", Reason: reason, Expires: "2027-11-30"},
	}
}

func standbyExceptions(props Props) []finding.Exception {
	if props.MultiAZ {
		return nil
	}
	return []finding.Exception{{
		ID:      "CKV_AWS_157",
		Reason:  "this environment can wait for a restore: a standby would double the database's cost",
		Expires: "2027-11-30",
	}}
}
