package synth

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"aws-microservices/internal/policy"
	"aws-microservices/stacks"
)

// stranger is an account that is none of ours.
const stranger = "999999999999"

// everything is what an administrator may do.
var everything = []policy.Statement{{Sid: "Administrator", Actions: []string{"*"}, Resources: []string{"*"}}}

// world is a stack as IAM sees it, with what its principals may reach for: its own resources and those of other stacks.
type world struct {
	stack
	t *testing.T
	// name is the stack's, where tells the system too.
	name, where     string
	config          stacks.Config
	account, region string
	arns            policy.Stack
	roles           []*role
	targets         []target
}

// role is an IAM role.
type role struct {
	path string
	who  policy.Principal
	// by is the service that assumes it, of what it is used by, allows what it is for.
	by, of string
	allows func(*world) []string

	trust, statements []policy.Statement
}

// target is what a request is about: a resource, or a part of one.
type target struct {
	name, arn, account string
	// stack is whose it is.
	stack string
	// kind is the resource's type, "" for a part of one.
	kind string
	// policy is the resource's own, ruled is set where it must allow too.
	policy []policy.Statement
	ruled  bool
}

// probe is one question: an action on a target in a context.
type probe struct {
	target
	action  string
	context map[string]string
	label   string
}

func (p probe) String() string { return p.action + " " + p.name + p.label }

// actions are what is asked for of each service: reading, writing and taking over. Those that the policies name are added.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var actions = map[string]string{
	"backup":     "DeleteBackupVault DeleteRecoveryPoint PutBackupVaultAccessPolicy StartBackupJob StartCopyJob StartRestoreJob",
	"cloudfront": "CreateInvalidation DeleteDistribution UpdateDistribution",
	"cloudwatch": "DeleteAlarms DisableAlarmActions PutMetricAlarm SetAlarmState",
	"dynamodb":   "DeleteItem DeleteTable GetItem PutItem Scan UpdateItem",
	"ecr": "BatchCheckLayerAvailability BatchDeleteImage BatchGetImage DeleteRepository DescribeImages GetDownloadUrlForLayer " +
		"InitiateLayerUpload PutImage SetRepositoryPolicy",
	"ecs":    "DeleteCluster DeregisterTaskDefinition ExecuteCommand RunTask StartTask StopTask TagResource UpdateService",
	"events": "DeleteRule DisableRule PutRule PutTargets",
	"iam":    "AttachRolePolicy CreatePolicyVersion DeleteRolePolicy PassRole PutRolePermissionsBoundary PutRolePolicy UpdateAssumeRolePolicy",
	"kms": "CreateGrant Decrypt DescribeKey DisableKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext PutKeyPolicy " +
		"ReEncryptFrom ReEncryptTo RetireGrant ScheduleKeyDeletion",
	"lambda": "AddPermission GetFunction InvokeFunction UpdateFunctionCode",
	"logs": "CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DescribeLogStreams FilterLogEvents GetLogEvents PutLogEvents " +
		"PutRetentionPolicy PutSubscriptionFilter StartQuery",
	"rds":    "CreateDBSnapshot DeleteDBCluster DeleteDBInstance ModifyDBCluster ModifyDBInstance StopDBInstance",
	"rds-db": "connect",
	"s3": "AbortMultipartUpload DeleteBucket DeleteObject DeleteObjectVersion GetBucketPolicy GetObject GetObjectVersion ListBucket " +
		"ListBucketVersions PutBucketPolicy PutEncryptionConfiguration PutLifecycleConfiguration PutObject PutObjectAcl",
	"scheduler": "DeleteSchedule UpdateSchedule",
	"secretsmanager": "DeleteSecret DescribeSecret GetSecretValue PutResourcePolicy PutSecretValue RotateSecret UpdateSecret " +
		"UpdateSecretVersionStage",
	"sns": "AddPermission DeleteTopic GetTopicAttributes Publish SetTopicAttributes Subscribe",
	"sqs": "AddPermission ChangeMessageVisibility DeleteMessage DeleteQueue GetQueueAttributes GetQueueUrl PurgeQueue ReceiveMessage " +
		"SendMessage SetQueueAttributes StartMessageMoveTask",
	"ssm": "DeleteParameter GetParameter GetParameters GetParametersByPath PutParameter",
	"sts": "AssumeRole TagSession",
}

// withoutResource are actions that know no resources.
var withoutResource = []string{
	"cloudwatch:PutMetricData", "ec2:RunInstances", "ecr:GetAuthorizationToken", "iam:CreateAccessKey", "iam:CreateRole", "iam:CreateUser",
	"kms:CreateKey", "logs:DescribeLogGroups", "organizations:LeaveOrganization", "s3:ListAllMyBuckets", "secretsmanager:GetRandomPassword",
	"secretsmanager:ListSecrets", "sqs:ListQueues", "tag:GetResources", "ecs:DiscoverPollEndpoint",
	"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
	"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "sts:AssumeRoot", "sts:GetCallerIdentity",
}

// ownPolicies are the policies of resources: the argument that names the resource, and the resource's type.
var ownPolicies = map[string]struct{ argument, kind string }{
	"aws_backup_vault_policy":          {"backup_vault_name", "aws_backup_vault"},
	"aws_ecr_repository_policy":        {"repository", "aws_ecr_repository"},
	"aws_s3_bucket_policy":             {"bucket", "aws_s3_bucket"},
	"aws_secretsmanager_secret_policy": {"secret_arn", "aws_secretsmanager_secret"},
	"aws_sns_topic_policy":             {"arn", "aws_sns_topic"},
	"aws_sqs_queue_policy":             {"queue_url", "aws_sqs_queue"},
}

// worldsOnce are the stacks of every system, each read once.
var worldsOnce map[string]*world

// everywhere are all stacks of every system that is declared here, by system and name.
func everywhere(t *testing.T) map[string]*world {
	t.Helper()
	if worldsOnce == nil {
		read := map[string]*world{}
		for system, config := range samples {
			var own []target
			all := map[string]*world{}
			for name, s := range synthesized(t, system) {
				all[name] = newWorld(t, system, name, config, s)
				own = append(own, all[name].targets...)
			}
			for name, w := range all {
				for _, about := range own {
					if about.stack != name && about.arn != "*" {
						about.name = about.stack + "/" + about.name
						w.targets = append(w.targets, about)
					}
				}
				read[w.where] = w
			}
		}
		worldsOnce = read
	}
	for _, w := range worldsOnce {
		w.t = t
	}
	return worldsOnce
}

// worlds are the environments.
func worlds(t *testing.T) map[string]*world {
	t.Helper()
	all := maps.Clone(everywhere(t))
	maps.DeleteFunc(all, func(_ string, w *world) bool { return w.environment() == nil })
	return all
}

// environment is how the stack runs the platform, nil for one that does not.
func (w *world) environment() *stacks.Environment {
	i := slices.IndexFunc(w.config.Environments, func(e stacks.Environment) bool { return e.Name == w.name })
	if i < 0 {
		return nil
	}
	return &w.config.Environments[i]
}

func newWorld(t *testing.T, system, name string, config stacks.Config, s stack) *world {
	t.Helper()
	w := &world{stack: s, t: t, name: name, where: system + "/" + name, config: config}
	provider := s.Provider["aws"][0]
	w.account = provider["allowed_account_ids"].([]any)[0].(string)
	w.region = provider["region"].(string)
	w.arns = policy.Stack{Providers: map[string]policy.Provider{}, Resources: s.Resource}
	for _, p := range s.Provider["aws"] {
		alias, _ := p["alias"].(string)
		w.arns.Providers[alias] = policy.Provider{AccountID: p["allowed_account_ids"].([]any)[0].(string), Region: p["region"].(string)}
	}
	policies := w.policies()
	for _, kind := range slices.Sorted(maps.Keys(s.Resource)) {
		if !policy.Known(kind) {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(s.Resource[kind])) {
			arn := w.resolve("${" + kind + "." + id + ".arn}")
			path := w.path(s.Resource[kind][id])
			account := w.providerOf(s.Resource[kind][id]).AccountID
			about := target{name: path, arn: arn, account: account, stack: name, kind: kind, policy: policies[arn], ruled: kind == "aws_kms_key"}
			// One whose name begins the same shows a * that ends a name.
			longer := arn + "-and-more"
			if family, ok := strings.CutSuffix(arn, ":1"); ok && kind == "aws_ecs_task_definition" {
				longer = family + "-and-more:1"
			}
			w.targets = append(w.targets, about, target{name: path + " and more", arn: longer, account: account, stack: name})
			for _, part := range w.parts(kind, path, arn, s.Resource[kind][id]) {
				part.policy = about.policy
				w.targets = append(w.targets, part)
			}
			delete(policies, arn)
		}
	}
	for arn := range policies {
		t.Errorf("%s: a policy of %s, which is not known", w.where, arn)
	}
	other := func(name, arn string) {
		w.targets = append(w.targets, target{name: name, arn: arn, account: w.account, stack: w.name})
	}
	other("*", "*")
	group := fmt.Sprintf("arn:aws:logs:%s:%s:log-group:RDSOSMetrics", w.region, w.account) // RDS makes it
	other("RDSOSMetrics", group)
	other("RDSOSMetrics stream", group+":log-stream:any")
	for _, region := range w.regions() {
		for _, kind := range []string{"db", "cluster", "snapshot", "cluster-snapshot"} {
			arn := fmt.Sprintf("arn:aws:rds:%s:%s:%s:", region, w.account, kind)
			other(kind+" in "+region, arn+"any")
			other(kind+" of AWS Backup in "+region, arn+"awsbackup:any")
		}
	}
	w.readRoles()
	return w
}

// regions are where the stack has resources.
func (w *world) regions() []string {
	var all []string
	for _, p := range w.arns.Providers {
		all = append(all, p.Region)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// path is a resource's path in the construct tree below the stack.
func (w *world) path(r map[string]any) string { return strings.TrimPrefix(pathOf(r), w.name+"/") }

// resolve replaces the references in a text.
func (w *world) resolve(text string) string {
	w.t.Helper()
	resolved, err := w.arns.Resolve(text)
	if err != nil {
		w.t.Fatalf("%s: %v", w.where, err)
	}
	return resolved
}

// document reads the policy document that an argument refers to.
func (w *world) document(r map[string]any, argument string) []policy.Statement {
	w.t.Helper()
	reference, _ := r[argument].(string)
	name := strings.TrimSuffix(strings.TrimPrefix(reference, "${data.aws_iam_policy_document."), ".json}")
	d, ok := w.Data["aws_iam_policy_document"][name]
	if !ok {
		w.t.Fatalf("%s: %s is %q and no document", pathOf(r), argument, reference)
	}
	statements, err := policy.Read(d, w.arns.Resolve)
	if err != nil {
		w.t.Fatalf("%s: %v", pathOf(d), err)
	}
	return policy.Split(statements)
}

// policies are the resources' own, by ARN.
func (w *world) policies() map[string][]policy.Statement {
	w.t.Helper()
	found := map[string][]policy.Statement{}
	for kind, resources := range w.Resource {
		if own, known := ownPolicies[kind]; known {
			for _, p := range resources {
				found[w.arnOf(p[own.argument], own.kind)] = w.document(p, "policy")
			}
			continue
		}
		for id, r := range resources {
			switch {
			case kind == "aws_kms_key":
				found[w.resolve("${"+kind+"."+id+".arn}")] = w.document(r, "policy")
			case slices.Contains([]string{"aws_iam_role", "aws_iam_role_policy", "aws_iam_instance_profile"}, kind):
			case strings.HasPrefix(w.path(r), pipelines): // in a test of its own
			case kind == "aws_iam_service_linked_role": // AWS writes its policy, and only its own service assumes it
			case strings.HasPrefix(kind, "aws_iam_") || r["policy"] != nil && strings.Contains(fmt.Sprint(r["policy"]), "policy_document"):
				w.t.Errorf("%s: what a %s allows is not known here", pathOf(r), kind)
			}
		}
	}
	for _, p := range w.Resource["aws_lambda_permission"] {
		s := policy.Statement{
			Sid: pathOf(p), Actions: []string{p["action"].(string)}, Principals: []policy.Principal{{Type: "Service", ID: p["principal"].(string)}},
		}
		for argument, c := range map[string]policy.Condition{
			"source_account": {Test: "StringEquals", Variable: "aws:SourceAccount"}, "source_arn": {Test: "ArnLike", Variable: "aws:SourceArn"},
		} {
			if value, ok := p[argument].(string); ok {
				c.Values = []string{w.resolve(value)}
				s.Conditions = append(s.Conditions, c)
			}
		}
		arn := w.arnOf(p["function_name"], "aws_lambda_function")
		found[arn] = append(found[arn], s)
	}
	return found
}

// arnOf is the ARN of the resource that an argument refers to, by whatever attribute.
func (w *world) arnOf(argument any, kind string) string {
	w.t.Helper()
	text, _ := argument.(string)
	id, _, found := strings.Cut(strings.TrimPrefix(text, "${"+kind+"."), ".")
	if !found || w.Resource[kind][id] == nil {
		w.t.Fatalf("%s: %v refers to no %s", w.where, argument, kind)
	}
	return w.resolve("${" + kind + "." + id + ".arn}")
}

// parts are what is asked for beside a resource itself.
func (w *world) parts(kind, path, arn string, r map[string]any) []target {
	w.t.Helper()
	part := func(name, arn string) target { return target{name: name, arn: arn, account: w.account, stack: w.name} }
	id := r["//"].(map[string]any)["metadata"].(map[string]any)["uniqueId"].(string)
	attribute := func(name string) string { return w.resolve("${" + kind + "." + id + "." + name + "}") }
	users := func(database string) []target {
		var all []target
		for _, user := range w.databaseUsers() {
			all = append(all, part(path+" as "+user, fmt.Sprintf("arn:aws:rds-db:%s:%s:dbuser:%s/%s", w.region, w.account, database, user)))
		}
		return all
	}
	master := func() []target {
		if r["manage_master_user_password"] != true {
			return nil
		}
		return []target{part(path+" master", attribute("master_user_secret[0].secret_arn"))}
	}
	switch kind {
	case "aws_cloudwatch_log_group":
		return []target{part(path+" stream", arn+":log-stream:ecs/any")}
	case "aws_db_instance":
		return append(users(attribute("resource_id")), master()...)
	case "aws_rds_cluster":
		return append(users(attribute("cluster_resource_id")), master()...)
	case "aws_db_proxy":
		return users(arn[strings.LastIndex(arn, ":")+1:])
	case "aws_ecs_cluster":
		name := r["name"].(string)
		return []target{
			part(path+" task", fmt.Sprintf("arn:aws:ecs:%s:%s:task/%s/0123456789abcdef", w.region, w.account, name)),
			part(path+" instance", fmt.Sprintf("arn:aws:ecs:%s:%s:container-instance/%s/0123456789abcdef", w.region, w.account, name)),
		}
	case "aws_ecs_task_definition":
		return []target{part(path+" as released", strings.TrimSuffix(arn, ":1")+":27")}
	case "aws_s3_bucket":
		var all []target
		for _, key := range w.objectKeys() {
			all = append(all, part(path+"/"+key, arn+"/"+key))
		}
		return all
	}
	return nil
}

// databaseUsers are who may try to log in to a database: every service, and those that RDS makes.
func (w *world) databaseUsers() []string {
	users := []string{"master", "postgres", "rdsadmin"}
	for _, s := range w.config.Platform.Services {
		user := strings.ReplaceAll(s.Name, "-", "_")
		users = append(users, user, user+"_and_more")
	}
	return users
}

// declaredPrefixes are those of the objects that services read or write.
func (w *world) declaredPrefixes() []string {
	var all []string
	for _, s := range w.config.Platform.Services {
		for _, name := range slices.Concat(s.ReadsFrom, s.WritesTo) {
			if _, prefix, _ := strings.Cut(name, "/"); !slices.Contains(all, prefix) {
				all = append(all, prefix)
			}
		}
	}
	return all
}

// objectKeys are keys below every declared prefix and beside it, and those of AWS's logs.
func (w *world) objectKeys() []string {
	keys := []string{"others/any", "s3/any"}
	for _, account := range append(w.accounts(), stranger) {
		keys = append(keys, "alb/AWSLogs/"+account+"/any")
	}
	for _, prefix := range w.declaredPrefixes() {
		keys = append(keys, prefix+"any", strings.TrimSuffix(prefix, "/")+"-of-others/any")
	}
	return keys
}

// listedPrefixes are what keys may be listed by.
func (w *world) listedPrefixes() []string {
	asked := []string{"", "others/"}
	for _, prefix := range w.declaredPrefixes() {
		asked = append(asked, prefix, prefix+"below/", strings.TrimSuffix(prefix, "/")+"-of-others/")
	}
	return asked
}

// pipelines is where the roles of pipelines are: those are asked about by tests of their own.
const pipelines = "delivery/"

// readRoles reads the roles, their policies, and what they are used for.
func (w *world) readRoles() {
	w.t.Helper()
	byName := map[string]*role{}
	for _, id := range slices.Sorted(maps.Keys(w.Resource["aws_iam_role"])) {
		r := w.Resource["aws_iam_role"][id]
		if strings.HasPrefix(w.path(r), pipelines) {
			continue
		}
		arn := w.resolve("${aws_iam_role." + id + ".arn}")
		made := &role{path: w.path(r), who: policy.Principal{Type: "AWS", ID: arn}, trust: w.document(r, "assume_role_policy")}
		byName[r["name"].(string)] = made
		w.roles = append(w.roles, made)
		for _, argument := range []string{"inline_policy", "managed_policy_arns"} {
			if r[argument] != nil {
				w.t.Errorf("%s: what its %s allows is not known here", pathOf(r), argument)
			}
		}
	}
	for _, p := range w.Resource["aws_iam_role_policy"] {
		if strings.HasPrefix(w.path(p), pipelines) {
			continue
		}
		r := byName[w.resolve(p["role"].(string))]
		if r == nil {
			w.t.Fatalf("%s is for role %v, which is not there", pathOf(p), p["role"])
		}
		r.statements = append(r.statements, w.document(p, "policy")...)
	}
	for _, use := range uses {
		for _, user := range w.Resource[use.kind] {
			named, ok := dig(user, use.argument)
			if !ok {
				continue
			}
			arn := w.resolve(named)
			i := slices.IndexFunc(w.roles, func(r *role) bool { return r.who.ID == arn || strings.HasSuffix(r.who.ID, ":role/"+arn) })
			switch {
			case i < 0:
				w.t.Errorf("%s uses role %s, which is not there", pathOf(user), arn)
			case w.roles[i].by != "" && (w.roles[i].by != use.by || w.roles[i].of != parent(w.path(user))):
				w.t.Errorf("%s uses role %s, which is another's", pathOf(user), w.roles[i].path)
			default:
				r := w.roles[i]
				before := r.allows
				r.by, r.of = use.by, parent(w.path(user))
				r.allows = func(w *world) []string {
					lines := use.allows(w, user)
					if before != nil {
						lines = append(lines, before(w)...)
					}
					return lines
				}
			}
		}
	}
	for _, r := range w.roles {
		if r.allows == nil {
			w.t.Errorf("%s: no row of uses says what role %s is for", w.where, r.path)
			r.allows = func(*world) []string { return nil }
		}
	}
}

// parent is the path above.
func parent(path string) string { return path[:max(0, strings.LastIndex(path, "/"))] }

// dig reads an argument, "a.b" within a block.
func dig(r map[string]any, argument string) (string, bool) {
	block, rest, nested := strings.Cut(argument, ".")
	if nested {
		inner, ok := r[block].(map[string]any)
		if !ok {
			return "", false
		}
		return dig(inner, rest)
	}
	value, ok := r[argument].(string)
	return value, ok
}

// probes asks for every action on every target in every context that can make a difference.
func (w *world) probes() iter.Seq[probe] {
	named := w.namedActions()
	contexts := map[string][]probe{} // those of an action, without their target
	return func(yield func(probe) bool) {
		for _, about := range w.targets {
			asked := withoutResource
			if about.arn != "*" {
				asked = named[about.service()]
			}
			switch {
			case about.kind == "aws_iam_role":
				asked = slices.Concat(asked, named["sts"])
			case strings.Contains(about.arn, "snapshot:awsbackup:"): // a recovery point
				asked = slices.Concat(asked, named["backup"])
			}
			for _, action := range asked {
				if contexts[action] == nil {
					contexts[action] = w.contexts(action)
				}
				for _, p := range contexts[action] {
					p.target, p.action = about, action
					if !yield(p) {
						return
					}
				}
			}
		}
	}
}

// namedActions are the actions to ask for, by service: those of the table, and those that any role's policy names.
func (w *world) namedActions() map[string][]string {
	w.t.Helper()
	named := map[string][]string{}
	add := func(action string) {
		if service, _, _ := strings.Cut(action, ":"); !slices.Contains(named[service], action) {
			named[service] = append(named[service], action)
		}
	}
	for service, list := range actions {
		for _, action := range strings.Fields(list) {
			add(service + ":" + action)
		}
	}
	for _, r := range w.roles {
		for _, s := range r.statements {
			for _, action := range s.Actions {
				if strings.ContainsAny(action, "*?") {
					w.t.Errorf("%s: %s: %s: a role's policy names single actions", w.where, r.path, action)
				} else if !slices.Contains(withoutResource, action) {
					add(action)
				}
			}
			if s.NotActions != nil {
				w.t.Errorf("%s: %s: a role's policy names actions, and not those that it leaves out", w.where, r.path)
			}
		}
	}
	return named
}

// encryptionContexts tell for whom KMS is asked: the key of the context, whose value is the ARN of a resource of the kind, and the
// service that asks.
var encryptionContexts = []struct{ key, kind, service string }{
	{"aws:s3:arn", "aws_s3_bucket", "s3"},
	{"aws:scheduler:schedule:arn", "aws_scheduler_schedule", "scheduler"},
	{"aws:sns:topicArn", "aws_sns_topic", "sns"},
	{"aws:sqs:arn", "aws_sqs_queue", "sqs"},
	{"aws:logs:arn", "aws_cloudwatch_log_group", "logs"},
	{"SecretARN", "aws_secretsmanager_secret", "secretsmanager"},
}

// cryptographic are the actions of KMS that have an encryption context.
var cryptographic = []string{"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"}

// contexts are the request contexts that make a difference to an action.
func (w *world) contexts(action string) []probe {
	var all []probe
	with := func(label string, pairs ...string) {
		p := probe{label: label, context: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			p.context[pairs[i]] = pairs[i+1]
		}
		all = append(all, p)
	}
	with("")
	switch service, name, _ := strings.Cut(action, ":"); {
	case action == "kms:CreateGrant":
		with(" (kms:GrantIsForAWSResource)", "kms:GrantIsForAWSResource", "true")
	case service == "kms" && slices.Contains(cryptographic, name):
		via := func(service string) string { return service + "." + w.region + ".amazonaws.com" }
		for _, c := range encryptionContexts {
			for _, about := range w.own() {
				if about.kind == c.kind || c.key == "SecretARN" && strings.HasSuffix(about.name, " master") {
					with(fmt.Sprintf(" (%s = %s)", c.key, about.name), "kms:EncryptionContext:"+c.key, about.arn, "kms:ViaService", via(c.service))
				}
			}
		}
		for _, r := range w.Resource["aws_ecs_cluster"] { // https://github.com/aws/amazon-ssm-agent/blob/mainline/agent/session/crypto/crypto.go
			with(fmt.Sprintf(" (aws:ssm:TargetId = %s)", w.path(r)),
				"kms:EncryptionContext:aws:ssm:SessionId", "any", "kms:EncryptionContext:aws:ssm:TargetId", "ecs:"+r["name"].(string)+"_any_any")
		}
	case service == "s3" && strings.HasPrefix(name, "ListBucket"):
		for _, prefix := range w.listedPrefixes() {
			with(" (s3:prefix = "+prefix+")", "s3:prefix", prefix)
		}
	case action == "ecs:RunTask":
		for _, about := range w.targets {
			if about.kind == "aws_ecs_cluster" {
				with(" (ecs:cluster = "+about.name+")", "ecs:cluster", about.arn)
			}
		}
	case action == "iam:PassRole":
		for _, to := range awsServices {
			with(" (iam:PassedToService = "+to+")", "iam:PassedToService", to)
		}
	}
	return all
}

// awsServices are those that could be taken for another.
var awsServices = []string{
	"backup.amazonaws.com", "cloudfront.amazonaws.com", "cloudwatch.amazonaws.com", "delivery.logs.amazonaws.com", "ec2.amazonaws.com",
	"ecs-tasks.amazonaws.com", "ecs.amazonaws.com", "events.amazonaws.com", "lambda.amazonaws.com",
	"logdelivery.elasticloadbalancing.amazonaws.com",
	"logging.s3.amazonaws.com", "logs.amazonaws.com", "monitoring.rds.amazonaws.com", "rds.amazonaws.com", "s3.amazonaws.com",
	"scheduler.amazonaws.com", "secretsmanager.amazonaws.com", "sns.amazonaws.com", "sqs.amazonaws.com", "vpc-flow-logs.amazonaws.com",
}

// principals are everybody that could try: services, those that this stack's policies name among them, administrators of this and of
// other accounts, and somebody without credentials.
func (w *world) principals() []policy.Principal {
	var all []policy.Principal
	for _, name := range awsServices {
		all = append(all, policy.Principal{Type: "Service", ID: name})
	}
	named := func(statements []policy.Statement) {
		for _, s := range statements {
			for _, p := range s.Principals {
				if p.Type == "Service" && !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
		}
	}
	for _, r := range w.roles {
		named(r.trust)
	}
	for _, about := range w.targets {
		named(about.policy)
	}
	all = append(all, policy.Principal{Type: "*", ID: "*"})
	for _, account := range append(w.accounts(), stranger) {
		all = append(all, policy.Principal{Type: "AWS", ID: "arn:aws:iam::" + account + ":role/administrator"},
			policy.Principal{Type: "AWS", ID: "arn:aws:iam::" + account + ":root"})
	}
	return all
}

// regionOf is the region of a resource's provider.
func (w *world) regionOf(r map[string]any) string {
	return w.providerOf(r).Region
}

// providerOf is a resource's provider.
func (w *world) providerOf(r map[string]any) policy.Provider {
	w.t.Helper()
	p, err := w.arns.Provider(r)
	if err != nil {
		w.t.Fatalf("%s: %v", pathOf(r), err)
	}
	return p
}

// own are the stack's own targets, guarded those of them that have a policy.
func (w *world) own() []target {
	return slices.DeleteFunc(slices.Clone(w.targets), func(about target) bool { return about.stack != w.name })
}

func (w *world) guarded() []target {
	return slices.DeleteFunc(w.own(), func(about target) bool { return about.policy == nil })
}

// service is the prefix of the actions on a target.
func (about target) service() string { return strings.SplitN(about.arn, ":", 4)[2] }

// services are those that the target's policy names, and one that it does not.
func (about target) services() []policy.Principal {
	all := []policy.Principal{{Type: "Service", ID: "any.amazonaws.com"}}
	for _, s := range about.policy {
		for _, p := range s.Principals {
			if p.Type == "Service" && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// sources are the contexts in which a service acts for a resource, by the resource's name: those of ours, or their twins in another
// account.
func (w *world) sources(action, account string) map[string]map[string]string {
	found := map[string]map[string]string{}
	for _, about := range w.own() {
		parts := strings.SplitN(about.arn, ":", 6)
		switch about.kind {
		case "aws_cloudfront_distribution", "aws_cloudwatch_event_rule", "aws_s3_bucket", "aws_scheduler_schedule", "aws_sns_topic":
			if parts[4] != "" {
				parts[4] = account
			}
			found[about.name] = map[string]string{"aws:SourceArn": strings.Join(parts, ":"), "aws:SourceAccount": account}
		case "aws_cloudwatch_log_group":
			if strings.HasPrefix(action, "kms:") {
				parts[4] = account
				found[about.name] = map[string]string{"kms:EncryptionContext:aws:logs:arn": strings.Join(parts, ":")}
			}
		}
	}
	return found
}

// accounts are all of ours.
func (w *world) accounts() []string {
	all := []string{w.config.Shared.AccountID}
	for _, e := range w.config.Environments {
		all = append(all, e.AccountID)
	}
	return all
}

// request is the one in which somebody asks, over TLS.
func (p probe) request(who policy.Principal) policy.Request {
	context := map[string][]string{"aws:SecureTransport": {"true"}}
	if parts := strings.Split(who.ID, ":"); who.Type == "AWS" {
		context["aws:PrincipalAccount"], context["aws:PrincipalArn"] = []string{parts[4]}, []string{who.ID}
	}
	for key, value := range p.context {
		context[key] = []string{value}
	}
	return policy.Request{Principal: who, Action: p.action, Resource: p.arn, Account: p.account, Context: context}
}

// ask evaluates. What cannot be evaluated fails the test.
func (w *world) ask(r policy.Request, p policy.Policies) policy.Decision {
	w.t.Helper()
	d, err := policy.Evaluate(r, p)
	if err != nil {
		w.t.Fatalf("%s: %s asks for %s on %s: %v", w.where, r.Principal.ID, r.Action, r.Resource, err)
	}
	return d
}

// only returns the path of the one resource of the kind below a path.
func (w *world) only(kind, below string) string {
	w.t.Helper()
	var found []string
	for _, r := range w.Resource[kind] {
		if path := w.path(r); strings.HasPrefix(path, below+"/") {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		w.t.Errorf("%s: %d %s below %s, one expected", w.where, len(found), kind, below)
		return "missing " + kind
	}
	return found[0]
}

// key writes the use of the environment's key for one resource.
func (w *world) key(context, target string, actions ...string) []string {
	return on(fmt.Sprintf("key/key (%s = %s)", context, target), actions...)
}

// readsSecret writes the reading of a secret.
func (w *world) readsSecret(secret string) []string {
	return append(on(secret, "secretsmanager:GetSecretValue"), w.key("SecretARN", secret, "kms:Decrypt")...)
}

// serviceOf is the declared service that a task definition runs: its first container has its name.
func (w *world) serviceOf(task map[string]any) stacks.Service {
	w.t.Helper()
	name := containers(w.t, task)[0]["name"]
	i := slices.IndexFunc(w.config.Platform.Services, func(s stacks.Service) bool { return s.Name == name })
	if i < 0 {
		w.t.Fatalf("%s runs %v, which is not declared", pathOf(task), name)
	}
	return w.config.Platform.Services[i]
}

// roleOf is the path of the role that an argument names.
func (w *world) roleOf(r map[string]any, argument string) string {
	w.t.Helper()
	arn := w.resolve(r[argument].(string))
	for _, role := range w.roles {
		if role.who.ID == arn {
			return role.path
		}
	}
	w.t.Fatalf("%s: there is no role %s", pathOf(r), arn)
	return ""
}

// objects is the bucket of "bucket/prefix", and the prefix.
func objects(name string) (bucket, prefix string) {
	bucket, prefix, _ = strings.Cut(name, "/")
	return "buckets/" + bucket + "/bucket", prefix
}

// images are the repositories of a service: its own and its sidecars'.
func images(s stacks.Service) []string {
	all := []string{s.Name}
	for _, c := range s.Container.Sidecars {
		if name, _, _ := strings.Cut(c.Image, ":"); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// databaseFor is what a service logs in to: whoever only reads to a copy, where there are any, others by the proxy.
func (w *world) databaseFor(service, name string) string {
	w.t.Helper()
	reading := []string{}
	for _, s := range w.config.Platform.Services {
		if slices.Contains(s.Reads, name) {
			reading = append(reading, s.Name)
		}
	}
	path, e := "databases/"+name, w.environment()
	i := slices.Index(reading, service)
	switch readers := w.readers(); {
	case i >= 0 && readers > 0 && e.Database.Serverless != nil:
		return path + "/cluster" // the address is another, the log-in is not
	case i >= 0 && readers > 0:
		return fmt.Sprintf("%s/replica-%d", path, i%readers+1)
	case e.Database.Proxy && len(w.proxied(name)) > 0:
		return path + "/proxy"
	}
	return w.databaseItself(name)
}

func (w *world) logsIn(service, name string) []string {
	return on(w.databaseFor(service, name)+" as "+strings.ReplaceAll(service, "-", "_"), "rds-db:connect")
}

// readers are how many copies of a database there are to read from.
func (w *world) readers() int {
	d := w.environment().Database
	if d.Serverless != nil && d.MultiAZ {
		return max(1, d.Replicas) // Aurora's standby is a reader
	}
	return d.Replicas
}

// proxied are the services that log in by a database's proxy.
func (w *world) proxied(name string) []string {
	var all []string
	if !w.environment().Database.Proxy {
		return nil
	}
	for _, s := range w.config.Platform.Services {
		if slices.Contains(s.Uses, name) || slices.Contains(s.Reads, name) && w.readers() == 0 {
			all = append(all, s.Name)
		}
	}
	return all
}

func (w *world) databaseItself(name string) string {
	if w.environment().Database.Serverless != nil {
		return "databases/" + name + "/cluster"
	}
	return "databases/" + name + "/instance"
}

// owns writes what the owner of a database may: read the master's password, and replace those of the proxy's users.
func (w *world) owns(name string) []string {
	allowed := w.readsSecret(w.databaseItself(name) + " master")
	for _, user := range w.proxied(name) {
		secret := "databases/" + name + "/secret-" + user
		allowed = append(allowed, on(secret, "secretsmanager:PutSecretValue")...)
		allowed = append(allowed, w.key("SecretARN", secret, "kms:Decrypt", "kms:GenerateDataKey")...)
	}
	return allowed
}
