// Package database makes an RDS for PostgreSQL instance that services log in to with IAM.
//
//	service -(TLS, IAM token)-> security group -> aws_db_instance in the database subnets
//	                                                  |-> logs in CloudWatch, master password in Secrets Manager
package database

import (
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbinstance"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbparametergroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbsubnetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/network"
	"aws-microservices/internal/finding"
)

// Port is PostgreSQL's.
const Port = 5432

// Props describe a database.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html
type Props struct {
	// Name of the database in its environment, e.g. "shop".
	Name string
	// Prefix goes before the name in identifiers, e.g. "shop-dev".
	Prefix string
	// AccountID and Region are where the database is.
	AccountID, Region string
	// Network holds the subnets.
	Network *network.Network
	// MajorVersion is PostgreSQL's. Minor versions are applied in the maintenance window.
	MajorVersion int
	// InstanceClass is the size, e.g. "db.t4g.micro".
	InstanceClass string
	// StorageGiB is the first size of the storage; MaxStorageGiB is how far it grows by itself.
	StorageGiB, MaxStorageGiB int
	// MultiAZ keeps a standby in a second zone. Defaults to false.
	MultiAZ bool
	// BackupRetentionDays is how far back point-in-time recovery reaches. At most 35.
	BackupRetentionDays int
	// DeletionProtection makes AWS refuse to delete the instance. Defaults to false.
	DeletionProtection bool
	// Key encrypts storage, backups, logs, insights and the master password.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the database's logs are kept.
	LogRetentionDays int
}

// Database is an RDS instance.
type Database struct {
	Resource      dbinstance.DbInstance
	SecurityGroup securitygroup.SecurityGroup
	// SecurityGroupID is its id, read once: each reading is a round trip to jsii.
	SecurityGroupID *string

	props Props
}

// New makes a database. Its master password is made, kept and rotated by RDS and is in no state file.
func New(scope constructs.Construct, id string, props Props) *Database {
	scope = constructs.NewConstruct(scope, &id)
	d := &Database{props: props}
	name := d.identifier()
	subnets := dbsubnetgroup.NewDbSubnetGroup(scope, jsii.String("subnet-group"), &dbsubnetgroup.DbSubnetGroupConfig{
		Name:        &name,
		Description: jsii.String("Isolated subnets of " + name),
		SubnetIds:   network.SubnetIDs(props.Network.DatabaseSubnets),
	})
	d.SecurityGroup = securitygroup.NewSecurityGroup(scope, jsii.String("security-group"), &securitygroup.SecurityGroupConfig{
		Name:        jsii.String(name + "-database"),
		Description: jsii.String("Database " + name + ": only the services that are linked to it"),
		VpcId:       props.Network.VPCID,
		Tags:        &map[string]*string{"Name": jsii.String(name + "-database")},
	})
	d.SecurityGroupID = d.SecurityGroup.Id()
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

		Username:                         jsii.String("master"),
		ManageMasterUserPassword:         jsii.Bool(true),
		MasterUserSecretKmsKeyId:         props.Key.KeyId(),
		IamDatabaseAuthenticationEnabled: jsii.Bool(true),
		CaCertIdentifier:                 jsii.String("rds-ca-rsa2048-g1"),
		PubliclyAccessible:               jsii.Bool(false),
		DbSubnetGroupName:                subnets.Name(),
		VpcSecurityGroupIds:              &[]*string{d.SecurityGroupID},
		ParameterGroupName:               parameters(scope, name, props).Name(),

		BackupRetentionPeriod:   jsii.Number(props.BackupRetentionDays),
		BackupWindow:            jsii.String("02:00-03:00"),
		MaintenanceWindow:       jsii.String("sun:03:30-sun:04:30"),
		AutoMinorVersionUpgrade: jsii.Bool(true),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(props.DeletionProtection),
		SkipFinalSnapshot:       jsii.Bool(false),
		FinalSnapshotIdentifier: jsii.String(name + "-final"),

		PerformanceInsightsEnabled:   jsii.Bool(true),
		PerformanceInsightsKmsKeyId:  props.Key.Arn(),
		MonitoringInterval:           jsii.Number(60),
		MonitoringRoleArn:            monitoringRole(scope, name, props).Arn(),
		EnabledCloudwatchLogsExports: jsii.Strings(logExports...),
		DependsOn:                    logGroups(scope, name, props),
	})
	finding.Except(d.Resource, exceptions(props)...)
	return d
}

// databaseName is the name inside PostgreSQL, where a dash would need quotes.
func databaseName(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

func (d *Database) identifier() string {
	return d.props.Prefix + "-" + d.props.Name
}

// parameters force TLS and log what an audit asks for: schema changes, slow statements, connections.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
func parameters(scope constructs.Construct, name string, props Props) dbparametergroup.DbParameterGroup {
	var rows []*dbparametergroup.DbParameterGroupParameter
	for _, p := range [][2]string{
		{"log_connections", "1"},
		{"log_disconnections", "1"},
		{"log_min_duration_statement", "1000"},
		{"log_statement", "ddl"},
		{"rds.force_ssl", "1"},
	} {
		rows = append(rows, &dbparametergroup.DbParameterGroupParameter{
			Name: jsii.String(p[0]), Value: jsii.String(p[1]), ApplyMethod: jsii.String("immediate"),
		})
	}
	family := fmt.Sprintf("postgres%d", props.MajorVersion)
	return dbparametergroup.NewDbParameterGroup(scope, jsii.String("parameters"), &dbparametergroup.DbParameterGroupConfig{
		// The family is in the name because a new major version needs a new group beside the old one.
		Name:        jsii.String(fmt.Sprintf("%s-%s", name, family)),
		Description: jsii.String("TLS only, with an audit trail"),
		Family:      &family,
		Parameter:   rows,
		Lifecycle:   &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)},
	})
}

var logExports = []string{"postgresql", "upgrade"}

// logGroups are made before RDS would make them, without encryption and for ever.
func logGroups(scope constructs.Construct, name string, props Props) *[]cdktf.ITerraformDependable {
	var groups []cdktf.ITerraformDependable
	for _, log := range logExports {
		groups = append(groups, logging.NewGroup(scope, "log-group-"+log, logging.GroupProps{
			Name:          fmt.Sprintf("/aws/rds/instance/%s/%s", name, log),
			RetentionDays: props.LogRetentionDays,
			Key:           props.Key,
		}))
	}
	return &groups
}

// monitoringRole lets RDS write the operating system's metrics to the account-wide group RDSOSMetrics.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html
func monitoringRole(scope constructs.Construct, name string, props Props) iamrole.IamRole {
	group := fmt.Sprintf("arn:aws:logs:%s:%s:log-group:RDSOSMetrics", props.Region, props.AccountID)
	return iam.NewRole(scope, "monitoring-role", iam.RoleProps{
		Name:        name + "-database-monitoring",
		Description: "Writes enhanced monitoring of " + name,
		Service:     "monitoring.rds.amazonaws.com",
		AccountID:   props.AccountID,
		Statements: []iam.Statement{
			{Sid: "Group", Actions: []string{"logs:CreateLogGroup", "logs:PutRetentionPolicy"}, Resources: []string{group}},
			{
				Sid:       "Write",
				Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"},
				Resources: []string{group + ":log-stream:*"},
			},
		},
	})
}

func exceptions(props Props) []finding.Exception {
	var rows []finding.Exception
	if !props.MultiAZ {
		rows = append(rows, finding.Exception{
			ID:      "CKV_AWS_157",
			Reason:  "this environment can wait for a restore: a standby would double the database's cost",
			Expires: "2027-11-30",
		})
	}
	if !props.DeletionProtection {
		rows = append(rows, finding.Exception{
			ID:      "CKV_AWS_293",
			Reason:  "this environment is taken down and built again at will; a final snapshot is kept",
			Expires: "2027-11-30",
		})
	}
	return rows
}

// Connect is the link of a service that uses the database. The service logs in as the database role of its own name,
// with a token instead of a password.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
func (d *Database) Connect(service string) link.Link {
	user := databaseName(service)
	variable := func(what string) string { return link.Variable("database", d.props.Name, what) }
	return link.Link{
		Name: "uses-" + d.props.Name,
		Statements: []iam.Statement{{
			Sid:     "Database",
			Actions: []string{"rds-db:connect"},
			Resources: []string{fmt.Sprintf("arn:aws:rds-db:%s:%s:dbuser:%s/%s",
				d.props.Region, d.props.AccountID, *d.Resource.ResourceId(), user)},
		}},
		Environment: map[string]string{
			variable("host"): *d.Resource.Address(),
			variable("port"): fmt.Sprint(Port),
			variable("name"): databaseName(d.props.Name),
			variable("user"): user,
		},
		Peer: &link.Peer{Name: "database " + d.props.Name, SecurityGroupID: d.SecurityGroupID, Port: Port},
	}
}

// Alarms are the database's: it is busy, full, or out of memory.
func (d *Database) Alarms() []monitoring.Alarm {
	const gib = 1 << 30
	return []monitoring.Alarm{
		{
			ID:          d.props.Name + "-database-cpu",
			Description: "Database " + d.props.Name + " is busy: look for slow statements in Performance Insights",
			Metric:      d.metric("CPUUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 80, Periods: 15,
		},
		{
			ID:          d.props.Name + "-database-storage",
			Description: "Database " + d.props.Name + " has less than 2 GiB left: storage autoscaling has reached its limit or cannot keep up",
			Metric:      d.metric("FreeStorageSpace", "Minimum"),
			Comparison:  monitoring.Below, Threshold: 2 * gib,
		},
		{
			ID:          d.props.Name + "-database-memory",
			Description: "Database " + d.props.Name + " is nearly out of memory: choose a larger instance class",
			Metric:      d.metric("FreeableMemory", "Minimum"),
			Comparison:  monitoring.Below, Threshold: gib / 16,
		},
	}
}

// Graphs are the database's part of the dashboard.
func (d *Database) Graphs() []monitoring.Graph {
	return []monitoring.Graph{
		{Title: "Database " + d.props.Name + ": CPU %", Metrics: []monitoring.Metric{d.metric("CPUUtilization", "Average")}},
		{Title: "Database " + d.props.Name + ": connections", Metrics: []monitoring.Metric{d.metric("DatabaseConnections", "Maximum")}},
	}
}

func (d *Database) metric(name, statistic string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/RDS", Name: name, Statistic: statistic,
		Dimensions: map[string]string{"DBInstanceIdentifier": d.identifier()},
	}
}
