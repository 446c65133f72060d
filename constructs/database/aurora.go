package database

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbsubnetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/rdscluster"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/rdsclusterinstance"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/rdsclusterparametergroup"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/internal/finding"
)

// pauseAfterSeconds is how long nobody may have been connected before a cluster that may pauses: the shortest Aurora knows.
const pauseAfterSeconds = 300

// clusterLogExports are the logs of a cluster that CloudWatch gets.
var clusterLogExports = []string{"postgresql"}

// aurora makes the Aurora Serverless cluster, its writer and its readers.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.html
func (d *Database) aurora(scope constructs.Construct, subnets dbsubnetgroup.DbSubnetGroup) proxyTarget {
	props, name := d.props, d.identifier()
	d.Cluster = rdscluster.NewRdsCluster(scope, jsii.String("cluster"), &rdscluster.RdsClusterConfig{
		ClusterIdentifier: &name,
		Engine:            jsii.String("aurora-postgresql"),
		EngineVersion:     jsii.String(fmt.Sprint(props.MajorVersion)),
		DatabaseName:      jsii.String(databaseName(props.Name)),
		Port:              jsii.Number(Port),

		Serverlessv2ScalingConfiguration: scaling(*props.Serverless),
		StorageEncrypted:                 jsii.Bool(true),
		KmsKeyId:                         props.Key.Arn(),

		MasterUsername:                   jsii.String(masterUser),
		ManageMasterUserPassword:         jsii.Bool(true),
		MasterUserSecretKmsKeyId:         props.Key.KeyId(),
		IamDatabaseAuthenticationEnabled: jsii.Bool(true),
		DbSubnetGroupName:                subnets.Name(),
		VpcSecurityGroupIds:              &[]*string{d.SecurityGroupID},
		DbClusterParameterGroupName:      d.clusterParameters(scope).Name(),

		BackupRetentionPeriod:      jsii.Number(props.BackupRetentionDays),
		PreferredBackupWindow:      jsii.String(backupWindow),
		PreferredMaintenanceWindow: jsii.String(maintenanceWindow),
		CopyTagsToSnapshot:         jsii.Bool(true),
		DeletionProtection:         jsii.Bool(props.DeletionProtection),
		SkipFinalSnapshot:          jsii.Bool(false),
		FinalSnapshotIdentifier:    jsii.String(name + "-final"),

		EnabledCloudwatchLogsExports: jsii.Strings(clusterLogExports...),
		DependsOn:                    d.logGroups(scope, "log-group", "cluster/"+name, clusterLogExports),
	})
	finding.Except(d.Cluster, clusterExceptions(props)...)
	d.writer = endpoint{
		host: d.Cluster.Endpoint(), resourceID: d.Cluster.ClusterResourceId(), name: "database " + props.Name, securityGroupID: d.SecurityGroupID,
	}
	d.master = d.Cluster.MasterUserSecret().Get(jsii.Number(0)).SecretArn()
	monitoring := d.monitoringRole(scope).Arn()
	var instances []cdktf.ITerraformDependable
	for tier := range 1 + props.readers() {
		instances = append(instances, d.clusterInstance(scope, tier, subnets, monitoring))
	}
	if props.readers() > 0 {
		// One address for all readers, which Aurora spreads connections over.
		reader := d.writer
		reader.host = d.Cluster.ReaderEndpoint()
		d.readers = []endpoint{reader}
	}
	return proxyTarget{cluster: d.Cluster.ClusterIdentifier(), ready: &instances}
}

// scaling says how far the capacity goes, and when it may pause.
func scaling(s Serverless) *rdscluster.RdsClusterServerlessv2ScalingConfiguration {
	config := &rdscluster.RdsClusterServerlessv2ScalingConfiguration{MinCapacity: &s.MinACU, MaxCapacity: &s.MaxACU}
	if s.MinACU == 0 {
		config.SecondsUntilAutoPause = jsii.Number(pauseAfterSeconds)
	}
	return config
}

// clusterInstance makes the writer, of promotion tier 0, or a reader. Tiers 0 and 1 scale together, so that the first reader
// can take over at any time; the others scale by their own load.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html
func (d *Database) clusterInstance(scope constructs.Construct, tier int, subnets dbsubnetgroup.DbSubnetGroup, monitoring *string) cdktf.ITerraformDependable {
	zones := d.props.Network.DatabaseSubnets
	id := fmt.Sprintf("cluster-instance-%d", tier+1)
	return rdsclusterinstance.NewRdsClusterInstance(scope, &id, &rdsclusterinstance.RdsClusterInstanceConfig{
		Identifier:        jsii.String(fmt.Sprintf("%s-%d", d.identifier(), tier+1)),
		ClusterIdentifier: d.Cluster.ClusterIdentifier(),
		Engine:            d.Cluster.Engine(),
		InstanceClass:     jsii.String("db.serverless"),
		PromotionTier:     jsii.Number(tier),
		AvailabilityZone:  zones[tier%len(zones)].AvailabilityZone(),

		DbSubnetGroupName:  subnets.Name(),
		PubliclyAccessible: jsii.Bool(false),
		CaCertIdentifier:   jsii.String(certificate),

		PreferredMaintenanceWindow: jsii.String(maintenanceWindow),
		AutoMinorVersionUpgrade:    jsii.Bool(true),
		CopyTagsToSnapshot:         jsii.Bool(true),

		PerformanceInsightsEnabled:  jsii.Bool(true),
		PerformanceInsightsKmsKeyId: d.props.Key.Arn(),
		MonitoringInterval:          jsii.Number(monitoringSeconds),
		MonitoringRoleArn:           monitoring,
	})
}

func (d *Database) clusterParameters(scope constructs.Construct) rdsclusterparametergroup.RdsClusterParameterGroup {
	var rows []*rdsclusterparametergroup.RdsClusterParameterGroupParameter
	for _, p := range parameters {
		rows = append(rows, &rdsclusterparametergroup.RdsClusterParameterGroupParameter{
			Name: jsii.String(p[0]), Value: jsii.String(p[1]), ApplyMethod: jsii.String("immediate"),
		})
	}
	family := fmt.Sprintf("aurora-postgresql%d", d.props.MajorVersion)
	return rdsclusterparametergroup.NewRdsClusterParameterGroup(scope, jsii.String("cluster-parameters"), &rdsclusterparametergroup.RdsClusterParameterGroupConfig{
		// The family is in the name because a new major version needs a new group beside the old one.
		Name:        jsii.String(fmt.Sprintf("%s-%s", d.identifier(), family)),
		Description: jsii.String("TLS only, with an audit trail"),
		Family:      &family,
		Parameter:   rows,
		Lifecycle:   &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)},
	})
}

func clusterExceptions(props Props) []finding.Exception {
	var rows []finding.Exception
	if !props.DeletionProtection {
		rows = append(rows, finding.Exception{
			ID:      "CKV_AWS_139",
			Reason:  "this environment is taken down and built again at will; a final snapshot is kept",
			Expires: "2027-11-30",
		})
	}
	if !props.BackedUp {
		rows = append(rows, finding.Exception{
			ID:      "CKV2_AWS_8",
			Reason:  "the cluster's own backups, from which it is restored to any second, are enough for this environment",
			Expires: "2027-11-30",
		})
	}
	return rows
}
