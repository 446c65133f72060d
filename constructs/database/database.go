// Package database makes a PostgreSQL database that services log in to with IAM: an RDS instance with read replicas, or an
// Aurora Serverless cluster with readers.
//
//	service that writes -(TLS, IAM token)-> [aws_db_proxy] -> aws_db_instance or aws_rds_cluster in the database subnets
//	                                             |                    |-> logs in CloudWatch, master password in Secrets Manager
//	                                 secrets of its users             |
//	service that reads --(TLS, IAM token)----------------> read replicas or readers
//	task that owns it ---(TLS, master password)----------> the database itself
package database

import (
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbinstance"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbproxy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbsubnetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/rdscluster"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecret"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/sleep"
)

// Port is PostgreSQL's.
const Port = 5432

// MaxACU is how far Aurora Serverless goes.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html#aurora-serverless-v2.how-it-works.capacity
const MaxACU = 256

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
	// InstanceClass is the size, e.g. "db.t4g.micro". Not with Serverless.
	InstanceClass string
	// StorageGiB is the first size of the storage; MaxStorageGiB is how far it grows by itself. Not with Serverless.
	StorageGiB, MaxStorageGiB int
	// Serverless makes an Aurora cluster whose capacity follows the load. Defaults to an RDS instance.
	Serverless *Serverless
	// MultiAZ keeps a standby in a second zone; in Aurora, that is a reader. Defaults to false.
	MultiAZ bool
	// Replicas are copies that services which only read are sent to. Defaults to 0. At most 15.
	Replicas int
	// Proxy keeps connections to the database open for the services that write, through a failover too. It is made if any
	// of the Users logs in there. Defaults to false.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html
	Proxy bool
	// Users are the services that log in.
	Users []User
	// Sleep is when the database is stopped. RDS does not stop an instance that has Replicas: it stays awake.
	// Defaults to never.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html#USER_StopInstance.Limitations
	Sleep *sleep.Hours
	// BackupRetentionDays is how far back point-in-time recovery reaches. At most 35.
	BackupRetentionDays int
	// BackedUp says that AWS Backup keeps copies apart from the database as well. Defaults to false.
	BackedUp bool
	// DeletionProtection makes AWS refuse to delete the database. Defaults to false.
	DeletionProtection bool
	// Key encrypts storage, backups, logs, insights, the master password and the users' secrets.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the database's logs are kept.
	LogRetentionDays int
}

// Serverless is how far Aurora's capacity goes, in Aurora capacity units of about 2 GiB of memory, in steps of 0.5.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
type Serverless struct {
	// MinACU is what it keeps at least. 0 lets it pause when nobody has been connected for five minutes; the first
	// connection then takes about 15 seconds. The connections of a Proxy keep it awake.
	MinACU float64
	// MaxACU is at most the constant of that name.
	MaxACU float64
}

// User is a service that logs in as a database role of its own.
type User struct {
	// Name of the service.
	Name string
	// ReadOnly sends the service to a replica, where there is one. Defaults to false.
	ReadOnly bool
}

// Database is an RDS instance or an Aurora cluster, with what belongs to it.
type Database struct {
	// Resource, an instance, and its Replicas are nil in a Serverless database, Cluster is nil in any other.
	Resource dbinstance.DbInstance
	Replicas []dbinstance.DbInstance
	Cluster  rdscluster.RdsCluster
	// Proxy is nil without one.
	Proxy         dbproxy.DbProxy
	SecurityGroup securitygroup.SecurityGroup
	// SecurityGroupID is its id, read once: each reading is a round trip to jsii.
	SecurityGroupID *string

	props Props
	// writer is the database itself, front the proxy or else the writer, readers what only answers queries.
	writer, front endpoint
	readers       []endpoint
	// master is the secret of the master user; secrets are those of the users who log in by the proxy.
	master  *string
	secrets map[string]secretsmanagersecret.SecretsmanagerSecret
}

// endpoint is what a service connects to.
type endpoint struct {
	host *string
	// resourceID is what IAM knows it by.
	resourceID *string
	// name is for descriptions.
	name            string
	securityGroupID *string
}

// New makes a database. Its master password is made, kept and rotated by RDS and is in no state file.
func New(scope constructs.Construct, id string, props Props) *Database {
	scope = constructs.NewConstruct(scope, &id)
	d := &Database{props: props, secrets: map[string]secretsmanagersecret.SecretsmanagerSecret{}}
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
	var target proxyTarget
	if props.Serverless == nil {
		target = d.instance(scope, subnets)
	} else {
		target = d.aurora(scope, subnets)
	}
	d.front = d.writer
	if len(props.proxied()) > 0 {
		d.proxy(scope, target)
	}
	if props.Sleep != nil && props.stops() {
		d.sleep(scope)
	}
	return d
}

// ARN is the database's, for backups.
func (d *Database) ARN() *string {
	if d.Cluster != nil {
		return d.Cluster.Arn()
	}
	return d.Resource.Arn()
}

// Endpoint is the host that services which write connect to.
func (d *Database) Endpoint() *string { return d.front.host }

func (d *Database) identifier() string {
	return d.props.Prefix + "-" + d.props.Name
}

// databaseName is the name inside PostgreSQL, of a database or a role, where a dash would need quotes.
func databaseName(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

// readers tells how many copies answer queries.
func (p Props) readers() int {
	if p.Serverless != nil && p.MultiAZ {
		return max(p.Replicas, 1)
	}
	return p.Replicas
}

// stops tells whether RDS can stop the database.
func (p Props) stops() bool { return p.Serverless != nil || p.Replicas == 0 }

// proxied are the users who log in by the proxy: all but those that have a copy to read from.
func (p Props) proxied() []User {
	var users []User
	for _, u := range p.Users {
		if p.Proxy && (!u.ReadOnly || p.readers() == 0) {
			users = append(users, u)
		}
	}
	return users
}

// parameters force TLS and log what an audit asks for: schema changes, slow statements, connections.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
var parameters = [][2]string{
	{"log_connections", "1"},
	{"log_disconnections", "1"},
	{"log_min_duration_statement", "1000"},
	{"log_statement", "ddl"},
	{"rds.force_ssl", "1"},
}

// What instances and clusters have in common.
const (
	masterUser        = "master"
	backupWindow      = "02:00-03:00"
	maintenanceWindow = "sun:03:30-sun:04:30"
	certificate       = "rds-ca-rsa2048-g1"
	// monitoringSeconds is how often the operating system's metrics are taken.
	monitoringSeconds = 60
)

// logGroups are made before RDS would make them, without encryption and for ever.
func (d *Database) logGroups(scope constructs.Construct, id, name string, logs []string) *[]cdktf.ITerraformDependable {
	var groups []cdktf.ITerraformDependable
	for _, log := range logs {
		groups = append(groups, logging.NewGroup(scope, id+"-"+log, logging.GroupProps{
			Name:          fmt.Sprintf("/aws/rds/%s/%s", name, log),
			RetentionDays: d.props.LogRetentionDays,
			Key:           d.props.Key,
		}))
	}
	return &groups
}

// monitoringRole lets RDS write the operating system's metrics to the account-wide group RDSOSMetrics.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html
func (d *Database) monitoringRole(scope constructs.Construct) iamrole.IamRole {
	name := d.identifier()
	group := fmt.Sprintf("arn:aws:logs:%s:%s:log-group:RDSOSMetrics", d.props.Region, d.props.AccountID)
	return iam.NewRole(scope, "monitoring-role", iam.RoleProps{
		Name:        name + "-database-monitoring",
		Description: "Writes enhanced monitoring of " + name,
		Trust:       iam.ForService("monitoring.rds.amazonaws.com", d.props.AccountID),
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
