package synth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/service"
	"aws-microservices/internal/policy"
	"aws-microservices/stacks"
)

// These tests ask, as IAM would answer, every role of every environment for every action on every resource there is, of other
// services, other environments and the shared account too, and compare what is allowed with the declaration. Roles are found
// by what uses them, not by their names.

// links are what each link of a service lets its tasks do. A link is one row.
var links = []struct {
	field  string
	of     func(stacks.Service) []string
	allows func(w *world, service, name string) []string
}{
	{
		"Uses", func(s stacks.Service) []string { return s.Uses },
		func(w *world, service, name string) []string {
			return w.logsIn(service, name)
		},
	}, {
		"Reads", func(s stacks.Service) []string { return s.Reads },
		func(w *world, service, name string) []string {
			return w.logsIn(service, name)
		},
	}, {
		"Owns", func(s stacks.Service) []string { return s.Owns },
		func(w *world, _, name string) []string { return w.owns(name) },
	}, {
		"SendsTo", func(s stacks.Service) []string { return s.SendsTo },
		func(w *world, _, name string) []string {
			queue := "queues/" + name + "/queue"
			return append(on(queue, "sqs:SendMessage", "sqs:GetQueueAttributes"),
				w.key("aws:sqs:arn", queue, "kms:Decrypt", "kms:GenerateDataKey")...)
		},
	}, {
		"Consumes", func(s stacks.Service) []string { return orNothing(s.Consumes) },
		func(w *world, _, name string) []string {
			queue := "queues/" + name + "/queue"
			return append(on(queue, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"),
				w.key("aws:sqs:arn", queue, "kms:Decrypt")...)
		},
	}, {
		"Publishes", func(s stacks.Service) []string { return s.Publishes },
		func(w *world, _, name string) []string {
			topic := "topics/" + name + "/topic"
			return append(on(topic, "sns:Publish"), w.key("aws:sns:topicArn", topic, "kms:Decrypt", "kms:GenerateDataKey")...)
		},
	}, {
		"Secrets", func(s stacks.Service) []string { return s.Secrets },
		func(w *world, _, name string) []string {
			return w.readsSecret(w.only("aws_secretsmanager_secret", "secrets/"+name))
		},
	}, {
		"ReadsFrom", func(s stacks.Service) []string { return s.ReadsFrom },
		func(w *world, _, name string) []string {
			bucket, prefix := objects(name)
			var allowed []string
			for _, key := range w.objectKeys() {
				if strings.HasPrefix(key, prefix) {
					allowed = append(allowed, on(bucket+"/"+key, "s3:GetObject")...)
				}
			}
			if prefix == "" {
				allowed = append(allowed, on(bucket, "s3:ListBucket")...)
			}
			for _, asked := range w.listedPrefixes() {
				if strings.HasPrefix(asked, prefix) {
					allowed = append(allowed, "s3:ListBucket "+bucket+" (s3:prefix = "+asked+")")
				}
			}
			return append(allowed, w.key("aws:s3:arn", bucket, "kms:Decrypt")...)
		},
	}, {
		"WritesTo", func(s stacks.Service) []string { return s.WritesTo },
		func(w *world, _, name string) []string {
			bucket, prefix := objects(name)
			var allowed []string
			for _, key := range w.objectKeys() {
				if strings.HasPrefix(key, prefix) {
					allowed = append(allowed, on(bucket+"/"+key, "s3:AbortMultipartUpload", "s3:PutObject")...)
				}
			}
			return append(allowed, w.key("aws:s3:arn", bucket, "kms:Decrypt", "kms:GenerateDataKey")...)
		},
	},
}

// uses are what roles are for, by the argument that names them. Who assumes them, and what they may do.
var uses = []struct {
	kind, argument string
	by             string
	allows         func(w *world, user map[string]any) []string
}{
	{"aws_ecs_task_definition", "task_role_arn", "ecs-tasks.amazonaws.com", taskMay},
	{"aws_ecs_task_definition", "execution_role_arn", "ecs-tasks.amazonaws.com", executionMay},
	{"aws_scheduler_schedule", "target.role_arn", "scheduler.amazonaws.com", schedulerMay},
	{"aws_lambda_function", "role", "lambda.amazonaws.com", rotationMay},
	{"aws_db_proxy", "role_arn", "rds.amazonaws.com", proxyMay},
	{"aws_backup_selection", "iam_role_arn", "backup.amazonaws.com", backupMay},
	{"aws_iam_instance_profile", "role", "ec2.amazonaws.com", instanceMay},
	{"aws_flow_log", "iam_role_arn", "vpc-flow-logs.amazonaws.com", func(*world, map[string]any) []string {
		return on("network/flow-log-group stream", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
	}},
	{"aws_db_instance", "monitoring_role_arn", "monitoring.rds.amazonaws.com", monitoringMay},
	{"aws_rds_cluster_instance", "monitoring_role_arn", "monitoring.rds.amazonaws.com", monitoringMay},
}

// taskMay is what the links say, and ECS Exec: a session with its log and its key.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
func taskMay(w *world, task map[string]any) []string {
	allowed := slices.Concat(
		on("*", "logs:DescribeLogGroups", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
		on("cluster/exec-log-group stream", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
		w.key("aws:ssm:TargetId", "cluster/cluster", "kms:Decrypt"),
	)
	s := w.serviceOf(task)
	for _, link := range links {
		for _, name := range link.of(s) {
			allowed = append(allowed, link.allows(w, s.Name, name)...)
		}
	}
	return allowed
}

// executionMay is pulling the service's own images and writing its own log.
func executionMay(w *world, task map[string]any) []string {
	s := w.serviceOf(task)
	allowed := append(on("*", "ecr:GetAuthorizationToken"),
		on("services/"+s.Name+"/log-group stream", "logs:CreateLogStream", "logs:PutLogEvents")...)
	for _, name := range images(s) {
		allowed = append(allowed, on("shared/registry/"+name+"/repository",
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")...)
	}
	return allowed
}

// schedulerMay is starting its own task with its own roles, or stopping and starting its own database.
func schedulerMay(w *world, schedule map[string]any) []string {
	path := parent(w.path(schedule))
	if name, ok := strings.CutPrefix(path, "databases/"); ok {
		actions := []string{"rds:StartDBInstance", "rds:StopDBInstance"}
		if w.environment().Database.Serverless != nil {
			actions = []string{"rds:StartDBCluster", "rds:StopDBCluster"}
		}
		return append(on(w.databaseItself(name), actions...), w.key("aws:scheduler:schedule:arn", w.path(schedule), "kms:Decrypt")...)
	}
	task := w.at(w.t, "aws_ecs_task_definition", path+"/task-definition")
	const cluster, tasks = " (ecs:cluster = cluster/cluster)", " (iam:PassedToService = ecs-tasks.amazonaws.com)"
	return slices.Concat(
		on(path+"/task-definition"+cluster, "ecs:RunTask"),
		on(path+"/task-definition as released"+cluster, "ecs:RunTask"),
		on(w.roleOf(task, "task_role_arn")+tasks, "iam:PassRole"),
		on(w.roleOf(task, "execution_role_arn")+tasks, "iam:PassRole"),
		on("cluster/cluster task", "ecs:TagResource"),
		w.key("aws:scheduler:schedule:arn", path+"/schedule", "kms:Decrypt"),
		on(path+"/dead-letters", "sqs:SendMessage"),
		w.key("aws:sqs:arn", path+"/dead-letters", "kms:Decrypt", "kms:GenerateDataKey"),
	)
}

// monitoringMay is writing the log that every database of the account has in common.
func monitoringMay(*world, map[string]any) []string {
	return append(on("RDSOSMetrics", "logs:CreateLogGroup", "logs:PutRetentionPolicy"),
		on("RDSOSMetrics stream", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents")...)
}

// instanceMay is running the tasks of its own cluster.
func instanceMay(*world, map[string]any) []string {
	return slices.Concat(
		on("cluster/cluster", "ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges",
			"ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"),
		on("cluster/cluster instance", "ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"),
		on("*", "ecs:DiscoverPollEndpoint"),
	)
}

// rotationMay is giving new values to the secrets that are rotated.
func rotationMay(w *world, function map[string]any) []string {
	allowed := append(on(parent(w.path(function))+"/log-group stream", "logs:CreateLogStream", "logs:PutLogEvents"),
		on("*", "secretsmanager:GetRandomPassword")...)
	for _, s := range w.config.Platform.Secrets {
		if s.RotateDays > 0 {
			secret := w.only("aws_secretsmanager_secret", "secrets/"+s.Name)
			allowed = slices.Concat(allowed, on(secret, "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
				"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
				w.key("SecretARN", secret, "kms:Decrypt", "kms:GenerateDataKey"))
		}
	}
	return allowed
}

// proxyMay is reading the passwords of the services that log in by it.
func proxyMay(w *world, proxy map[string]any) []string {
	path := parent(w.path(proxy))
	var allowed []string
	for _, user := range w.proxied(strings.TrimPrefix(path, "databases/")) {
		allowed = append(allowed, w.readsSecret(path+"/secret-"+user)...)
	}
	return allowed
}

// backupMay is what AWS's managed policy says of databases, for these.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html
func backupMay(w *world, _ map[string]any) []string {
	allowed := on("*", "tag:GetResources")
	var databases, copies, found []string
	for _, d := range w.config.Platform.Databases {
		databases = append(databases, w.databaseItself(d.Name))
	}
	for _, about := range w.own() {
		switch about.kind {
		case "aws_db_instance", "aws_rds_cluster":
			found = append(found, about.name, about.name+" and more")
		case "aws_backup_vault":
			allowed = append(allowed, on(about.name, "backup:CopyIntoBackupVault", "backup:DescribeBackupVault")...)
		}
	}
	for _, region := range []string{w.region, w.environment().Backup.CopyRegion} {
		copies = append(copies, "snapshot of AWS Backup in "+region, "cluster-snapshot of AWS Backup in "+region)
		for _, kind := range []string{"db", "cluster", "snapshot", "cluster-snapshot"} {
			found = append(found, kind+" in "+region, kind+" of AWS Backup in "+region)
		}
	}
	for _, about := range found {
		allowed = append(allowed, on(about, "rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters", "rds:DescribeDBInstances",
			"rds:DescribeDBSnapshots", "rds:ListTagsForResource")...)
	}
	for _, about := range slices.Concat(databases, copies) {
		allowed = append(allowed, on(about, "rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:CreateDBSnapshot")...)
	}
	for _, about := range copies {
		allowed = append(allowed, on(about, "backup:CopyFromBackupVault", "rds:CopyDBClusterSnapshot", "rds:CopyDBSnapshot",
			"rds:DeleteDBClusterSnapshot", "rds:DeleteDBSnapshot", "rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute")...)
	}
	for _, key := range []string{"key/key", "backup/copy-key/key"} {
		allowed = append(allowed, on(key, "kms:DescribeKey")...)
		allowed = append(allowed, on(key+" (kms:GrantIsForAWSResource)", "kms:CreateGrant")...)
	}
	return allowed
}

// on writes grants as lines: each action on the target.
func on(target string, actions ...string) []string {
	var lines []string
	for _, action := range actions {
		lines = append(lines, action+" "+target)
	}
	return lines
}

func orNothing(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// differ fails for every grant that is not declared, and for every declared one that is not there.
func differ(t *testing.T, where string, declared, allowed []string) {
	t.Helper()
	const most = 15
	report := func(what string, lines, others []string) {
		lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
		slices.Sort(lines)
		lines = slices.Compact(lines)
		if more := len(lines) - most; more > 0 {
			lines = append(lines[:most], fmt.Sprintf("and %d more", more))
		}
		if len(lines) > 0 {
			t.Errorf("%s: %s\n\t%s", where, what, strings.Join(lines, "\n\t"))
		}
	}
	report("allowed and not declared", allowed, declared)
	report("declared and not allowed", declared, allowed)
}

func TestARoleMayDoWhatTheDeclarationSaysAndNothingElse(t *testing.T) {
	for where, w := range worlds(t) {
		probes := slices.Collect(w.probes())
		for _, r := range w.roles {
			where := where + "/" + r.path
			var allowed []string
			needed := map[*policy.Statement]bool{}
			for _, p := range probes {
				d := w.ask(p.request(r.who), policy.Policies{Identity: r.statements, Resource: p.policy, Ruled: p.ruled})
				if d.Allowed {
					allowed = append(allowed, p.String())
				}
				for _, s := range d.By {
					needed[s] = true
				}
			}
			differ(t, where, r.allows(w), allowed)
			// What no question reaches is about something that is not there, or needs a context that no question has.
			for i := range r.statements {
				if s := &r.statements[i]; !s.Deny && !needed[s] {
					t.Errorf("%s: %s allows nothing that exists", where, s)
				}
			}
		}
	}
}

func TestARoleIsAssumedByItsServiceForThisAccountOnly(t *testing.T) {
	for where, w := range worlds(t) {
		for _, r := range w.roles {
			var allowed []string
			for _, who := range w.principals() {
				for account, p := range map[string]probe{
					"anybody":    {},
					"a stranger": {context: map[string]string{"aws:SourceAccount": stranger}},
					"us":         {context: map[string]string{"aws:SourceAccount": w.account}},
				} {
					p.target, p.action = target{arn: r.who.ID, account: w.account}, "sts:AssumeRole"
					if w.ask(p.request(who), policy.Policies{Identity: everything, Resource: r.trust, Ruled: true}).Allowed {
						allowed = append(allowed, who.ID+" for "+account)
					}
				}
			}
			declared := []string{r.by + " for us"}
			if forAnybody[r.by] != "" {
				declared = append(declared, r.by+" for anybody", r.by+" for a stranger")
			}
			differ(t, where+"/"+r.path, declared, allowed)
		}
	}
}

// forAnybody are services that are let in whoever's resources they act for, and why that is safe.
var forAnybody = map[string]string{
	"ec2.amazonaws.com": "it gives a role to instances of the role's own account only, and does not say for which account it asks",
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html#attach-bucket-policy
	"logdelivery.elasticloadbalancing.amazonaws.com": "the path it may write holds the account of the load balancer, put there by AWS",
}

// guests are the AWS services that the resources' own policies let in, with what they must come for.
func guests(w *world) []string {
	var allowed []string
	let := func(service, target, because string, actions ...string) {
		for _, action := range actions {
			allowed = append(allowed, service+" "+action+" "+target+because)
		}
	}
	if w.name != "shared" {
		archive := "logs/bucket"
		if w.name == "bootstrap" {
			archive = "state/logs/bucket"
		}
		let("logdelivery.elasticloadbalancing.amazonaws.com", archive+"/alb/AWSLogs/"+w.account+"/any", "", "s3:PutObject")
		let("logging.s3.amazonaws.com", archive+"/s3/any", " for us", "s3:PutObject")
	}
	for _, g := range w.Resource["aws_cloudwatch_log_group"] {
		for id, k := range w.Resource["aws_kms_key"] {
			if g["kms_key_id"] == "${aws_kms_key."+id+".arn}" {
				let("logs."+w.regionOf(g)+".amazonaws.com", w.path(k), " from "+w.path(g), "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt",
					"kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo")
			}
		}
	}
	if w.environment() != nil || w.name == "shared" && w.config.Shared.Repository != nil {
		let("cloudwatch.amazonaws.com", "monitoring/topic", " for us", "sns:Publish")
		let("cloudwatch.amazonaws.com", "key/key", " for us", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")
	}
	if w.environment() == nil {
		return allowed
	}
	let("cloudfront.amazonaws.com", "key/key", " from frontend/distribution", "kms:Decrypt")
	isRoot := func(s stacks.Service) bool { return s.Path == ingress.Root }
	if !slices.ContainsFunc(w.config.Platform.Services, isRoot) { // else it answers in the site's place
		for _, object := range w.objectKeys() {
			let("cloudfront.amazonaws.com", "frontend/site/bucket/"+object, " from frontend/distribution", "s3:GetObject")
		}
	}
	for _, topic := range w.config.Platform.Topics {
		from := " from topics/" + topic.Name + "/topic"
		for _, name := range topic.Queues {
			let("sns.amazonaws.com", "queues/"+name+"/queue", from, "sqs:SendMessage")
			let("sns.amazonaws.com", "queues/"+name+"/dead", from, "sqs:SendMessage")
		}
		let("sns.amazonaws.com", "key/key", from, "kms:Decrypt", "kms:GenerateDataKey")
	}
	// The key is made before the topics and knows them by the beginning of their names, which is the alarms' topic's too.
	let("sns.amazonaws.com", "key/key", " from monitoring/topic", "kms:Decrypt", "kms:GenerateDataKey")
	let("events.amazonaws.com", "key/key", " for us", "kms:Decrypt", "kms:GenerateDataKey")
	for _, s := range w.config.Platform.Services {
		if s.Kind == service.Job {
			job := "services/" + s.Name
			let("events.amazonaws.com", job+"/dead-letters", " from "+job+"/failed", "sqs:SendMessage")
		}
	}
	for _, f := range w.Resource["aws_lambda_function"] {
		let("secretsmanager.amazonaws.com", w.path(f), " for us", "lambda:InvokeFunction")
	}
	return allowed
}

func TestAWSServicesAreLetInForWhatIsOursOnly(t *testing.T) {
	for name, w := range everywhere(t) {
		var allowed []string
		needed := map[*policy.Statement]bool{}
		for _, about := range w.guarded() {
			for _, who := range about.services() {
				for _, action := range w.namedActions()[about.service()] {
					ask := func(context map[string]string) bool {
						p := probe{target: about, action: action, context: context}
						d := w.ask(p.request(who), policy.Policies{Resource: about.policy, Ruled: about.ruled})
						for _, s := range d.By {
							needed[s] = true
						}
						return d.Allowed
					}
					line := who.ID + " " + action + " " + about.name
					if ask(nil) {
						if forAnybody[who.ID] == "" {
							t.Errorf("%s: %s for anybody", name, line)
						}
						allowed = append(allowed, line)
						continue
					}
					if ask(map[string]string{"aws:SourceAccount": w.account}) {
						allowed = append(allowed, line+" for us")
					}
					for from, context := range w.sources(action, w.account) {
						if ask(context) && !slices.Contains(allowed, line+" for us") {
							allowed = append(allowed, line+" from "+from)
						}
					}
					for from, context := range w.sources(action, stranger) {
						if ask(context) {
							t.Errorf("%s: %s from the %s of a stranger", name, line, from)
						}
					}
				}
			}
		}
		for _, about := range w.guarded() {
			for i := range about.policy {
				if s := &about.policy[i]; about.kind != "" && !s.Deny && s.Principals[0].Type == "Service" && !needed[s] {
					t.Errorf("%s: %s: %s lets in for nothing that exists", name, about.name, s)
				}
			}
		}
		differ(t, name, guests(w), allowed)
	}
}

// pulls are what the environments' accounts do in the shared one.
var pulls = []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"}

func TestOtherAccountsAreLetInToPullImagesOnly(t *testing.T) {
	for name, w := range everywhere(t) {
		var allowed, declared []string
		for _, about := range w.guarded() {
			for _, who := range w.principals() {
				if who.Type == "Service" || strings.Contains(who.ID, w.account) {
					continue
				}
				for _, action := range w.namedActions()[about.service()] {
					for _, context := range w.contexts(action) {
						context.target, context.action = about, action
						if w.ask(context.request(who), policy.Policies{Identity: everything, Resource: about.policy, Ruled: about.ruled}).Allowed {
							allowed = append(allowed, who.ID+" "+context.String())
						}
					}
				}
			}
			for _, e := range w.config.Environments {
				if about.kind == "aws_ecr_repository" {
					for _, who := range []string{":role/administrator ", ":root "} {
						for _, action := range pulls {
							declared = append(declared, "arn:aws:iam::"+e.AccountID+who+action+" "+about.name)
						}
					}
				}
			}
		}
		differ(t, name, declared, allowed)
	}
}

// plainHTTP are the services that answer on plain HTTP too, with what is asked there.
var plainHTTP = map[string][]string{
	"aws_s3_bucket": {"s3:GetObject", "s3:ListBucket", "s3:DeleteBucket"},
	"aws_sns_topic": {"sns:Publish"},
	"aws_sqs_queue": {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteQueue"},
}

func TestPlainHTTPIsRefusedToEverybody(t *testing.T) {
	for name, w := range everywhere(t) {
		administrator := policy.Principal{Type: "AWS", ID: "arn:aws:iam::" + w.account + ":role/administrator"}
		for _, about := range w.own() {
			for _, action := range plainHTTP[about.kind] {
				for tls, want := range map[string]bool{"true": true, "false": false} {
					p := probe{target: about, action: action, context: map[string]string{"aws:SecureTransport": tls}}
					if got := w.ask(p.request(administrator), policy.Policies{Identity: everything, Resource: about.policy}).Allowed; got != want {
						t.Errorf("%s: %s with TLS %s: allowed %v", name, p, tls, got)
					}
				}
			}
		}
	}
}

// knowNoResources are the actions for which * is the only resource to write.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var knowNoResources = map[string]string{
	"ecr:GetAuthorizationToken":        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html",
	"logs:DescribeLogGroups":           "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html",
	"ssmmessages:CreateControlChannel": "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmessagegatewayservice.html",
	"ssmmessages:CreateDataChannel":    "the same",
	"ssmmessages:OpenControlChannel":   "the same",
	"ssmmessages:OpenDataChannel":      "the same",
	"secretsmanager:GetRandomPassword": "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html",
	"tag:GetResources":                 "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html",
	"ecs:DiscoverPollEndpoint":         "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html",
}

func TestNoPolicyIsWiderThanAWSNeeds(t *testing.T) {
	found := map[string]bool{}
	for name, w := range everywhere(t) {
		for _, r := range w.roles {
			for _, s := range r.statements {
				for _, pattern := range s.Resources {
					parts := strings.SplitN(pattern, ":", 6)
					switch action := s.Actions[0]; {
					case s.Deny:
					case pattern == "*" && knowNoResources[action] != "":
						found[action] = true
					case len(parts) < 6 || strings.ContainsAny(strings.Join(parts[:5], ":"), "*?") || strings.HasPrefix(parts[5], "*"):
						t.Errorf("%s/%s: %s", name, r.path, &s)
					}
				}
				if s.NotResources != nil {
					t.Errorf("%s/%s: %s names the resources that it leaves out", name, r.path, &s)
				}
			}
		}
		for _, about := range w.guarded() {
			for _, s := range about.policy {
				for _, action := range s.Actions {
					// A key is administered by its account: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
					if !s.Deny && !about.ruled && strings.ContainsAny(action, "*?") {
						t.Errorf("%s/%s: %s", name, about.name, &s)
					}
				}
			}
		}
	}
	for action := range knowNoResources {
		if !found[action] {
			t.Errorf("%s is on the list and in no policy", action)
		}
	}
}

// The questions are worth something only if what must not be reached is among them.
func TestTheQuestionsReachWhatIsNotOurs(t *testing.T) {
	for where, w := range worlds(t) {
		asked := map[string]bool{}
		for p := range w.probes() {
			asked[p.String()] = true
		}
		for _, other := range w.config.Environments {
			for _, q := range w.config.Platform.Queues {
				if other.Name != w.name && !asked["sqs:ReceiveMessage "+other.Name+"/queues/"+q.Name+"/queue"] {
					t.Errorf("%s: nobody tries to receive from %s's queue %s", where, other.Name, q.Name)
				}
			}
		}
		for _, question := range []string{
			"s3:GetObject bootstrap/state/bucket/bucket/others/any", "dynamodb:PutItem bootstrap/state/locks",
			"iam:PutRolePolicy services/" + w.config.Platform.Services[0].Name + "/task-role/role", "iam:CreateUser *", "sts:AssumeRole " +
				"services/" + w.config.Platform.Services[0].Name + "/execution-role/role",
		} {
			if !asked[question] {
				t.Errorf("%s: nobody tries %s", where, question)
			}
		}
	}
}
