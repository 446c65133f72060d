package database

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbproxy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbproxydefaulttargetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dbproxytarget"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecret"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupegressrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupingressrule"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
	"aws-microservices/internal/finding"
)

// maxConnectionsPercent leaves some of the database's connections to the task that owns it and to a person in need.
const maxConnectionsPercent = 90

// proxyTarget is where a proxy's connections go: an instance, or a cluster once its instances are ready.
type proxyTarget struct {
	instance, cluster *string
	ready             *[]cdktf.ITerraformDependable
}

// proxy makes an RDS Proxy, which services log in to with IAM, and which logs in to the database with each one's password.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-setup.html
func (d *Database) proxy(scope constructs.Construct, target proxyTarget) {
	props, name := d.props, d.identifier()
	var auth []*dbproxy.DbProxyAuth
	for _, u := range props.proxied() {
		d.secrets[u.Name] = d.secret(scope, u)
		auth = append(auth, &dbproxy.DbProxyAuth{
			Description: jsii.String("Service " + u.Name),
			AuthScheme:  jsii.String("SECRETS"),
			SecretArn:   d.secrets[u.Name].Arn(),
			IamAuth:     jsii.String("REQUIRED"),
		})
	}
	group := d.proxySecurityGroup(scope)
	log := logging.NewGroup(scope, "proxy-log-group", logging.GroupProps{
		Name: "/aws/rds/proxy/" + name, RetentionDays: props.LogRetentionDays, Key: props.Key,
	})
	d.Proxy = dbproxy.NewDbProxy(scope, jsii.String("proxy"), &dbproxy.DbProxyConfig{
		Name:                &name,
		EngineFamily:        jsii.String("POSTGRESQL"),
		RoleArn:             d.proxyRole(scope).Arn(),
		Auth:                auth,
		RequireTls:          jsii.Bool(true),
		VpcSubnetIds:        network.SubnetIDs(props.Network.DatabaseSubnets),
		VpcSecurityGroupIds: &[]*string{group},
		DependsOn:           &[]cdktf.ITerraformDependable{log},
	})
	targets := dbproxydefaulttargetgroup.NewDbProxyDefaultTargetGroup(scope, jsii.String("proxy-targets"), &dbproxydefaulttargetgroup.DbProxyDefaultTargetGroupConfig{
		DbProxyName: d.Proxy.Name(),
		ConnectionPoolConfig: &dbproxydefaulttargetgroup.DbProxyDefaultTargetGroupConnectionPoolConfig{
			MaxConnectionsPercent: jsii.Number(maxConnectionsPercent),
		},
	})
	dbproxytarget.NewDbProxyTarget(scope, jsii.String("proxy-target"), &dbproxytarget.DbProxyTargetConfig{
		DbProxyName:          d.Proxy.Name(),
		TargetGroupName:      targets.Name(),
		DbInstanceIdentifier: target.instance,
		DbClusterIdentifier:  target.cluster,
		DependsOn:            target.ready,
	})
	d.front = endpoint{
		host: d.Proxy.Endpoint(), resourceID: proxyID(d.Proxy.Arn()), name: "proxy of database " + props.Name, securityGroupID: group,
	}
}

// proxyID is the last part of a proxy's ARN, arn:aws:rds:<region>:<account>:db-proxy:prx-…, which IAM knows the proxy by.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connecting.html#rds-proxy-connecting-iam
func proxyID(arn *string) *string {
	parts := cdktf.Token_AsList(cdktf.Fn_Split(jsii.String(":"), arn), nil)
	return cdktf.Token_AsString(cdktf.Fn_Element(parts, jsii.Number(6)), nil)
}

// secret makes the place of a user's password. The task that owns the database invents it, gives it to the role and puts
// it here, so that no state file holds it; it does so again whenever it runs, so that nothing is lost with the secret.
func (d *Database) secret(scope constructs.Construct, u User) secretsmanagersecret.SecretsmanagerSecret {
	secret := secretsmanagersecret.NewSecretsmanagerSecret(scope, jsii.String("secret-"+u.Name), &secretsmanagersecret.SecretsmanagerSecretConfig{
		Name:                 jsii.String(fmt.Sprintf("%s/%s/%s", d.props.Prefix, d.props.Name, u.Name)),
		Description:          jsii.String(fmt.Sprintf("How the proxy of %s logs in for service %s", d.identifier(), u.Name)),
		KmsKeyId:             d.props.Key.Arn(),
		RecoveryWindowInDays: jsii.Number(0),
	})
	finding.Except(secret, finding.Exception{
		ID:      "CKV2_AWS_57",
		Reason:  "each run of the task that owns the database puts a new password in; only the proxy can read it",
		Expires: "2027-11-30",
	})
	return secret
}

// proxySecurityGroup lets the proxy connect to the database, and nothing else.
func (d *Database) proxySecurityGroup(scope constructs.Construct) *string {
	name := d.identifier() + "-proxy"
	resource := securitygroup.NewSecurityGroup(scope, jsii.String("proxy-security-group"), &securitygroup.SecurityGroupConfig{
		Name:        &name,
		Description: jsii.String("Proxy of database " + d.identifier() + ": only the services that are linked to it"),
		VpcId:       d.props.Network.VPCID,
		Tags:        &map[string]*string{"Name": &name},
	})
	finding.Except(resource, finding.Exception{
		ID:      "CKV2_AWS_5",
		Reason:  "the group is attached to the proxy, which the check does not know",
		Expires: "2027-11-30",
	})
	group := resource.Id()
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("proxy-egress"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId:           group,
		Description:               jsii.String("To database " + d.props.Name),
		ReferencedSecurityGroupId: d.SecurityGroupID,
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(Port),
		ToPort:                    jsii.Number(Port),
	})
	vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(scope, jsii.String("proxy-ingress"), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
		SecurityGroupId:           d.SecurityGroupID,
		Description:               jsii.String("From proxy of database " + d.props.Name),
		ReferencedSecurityGroupId: group,
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(Port),
		ToPort:                    jsii.Number(Port),
	})
	return group
}

// proxyRole lets the proxy read the users' passwords.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html
func (d *Database) proxyRole(scope constructs.Construct) iamrole.IamRole {
	props, secrets := d.props, d.secretARNs()
	return iam.NewRole(scope, "proxy-role", iam.RoleProps{
		Name:        d.identifier() + "-database-proxy",
		Description: "Reads the passwords that the proxy of " + d.identifier() + " logs in with",
		Trust:       iam.ForService("rds.amazonaws.com", props.AccountID),
		Statements: []iam.Statement{
			{Sid: "Secrets", Actions: []string{"secretsmanager:GetSecretValue"}, Resources: secrets},
			{
				Sid: "Key", Actions: []string{"kms:Decrypt"}, Resources: []string{*props.Key.Arn()},
				Conditions: []iam.Condition{
					{Test: "StringEquals", Variable: "kms:ViaService", Values: []string{fmt.Sprintf("secretsmanager.%s.amazonaws.com", props.Region)}},
					ofSecrets(secrets...),
				},
			},
		},
	})
}

// secretARNs are those of the users who log in by the proxy, in their order.
func (d *Database) secretARNs() []string {
	var arns []string
	for _, u := range d.props.proxied() {
		arns = append(arns, *d.secrets[u.Name].Arn())
	}
	return arns
}

// ofSecrets limits the use of a key to the given secrets.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html#security-encryption-encryption-context
func ofSecrets(arns ...string) iam.Condition {
	return iam.Condition{Test: "StringEquals", Variable: "kms:EncryptionContext:SecretARN", Values: arns}
}
