package synth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// statements returns the statements of the policy document at a path.
func (s stack) statements(t *testing.T, path string) []map[string]any {
	t.Helper()
	for _, d := range s.Data["aws_iam_policy_document"] {
		if p := pathOf(d); p[strings.Index(p, "/")+1:] == path {
			var rows []map[string]any
			for _, row := range d["statement"].([]any) {
				rows = append(rows, row.(map[string]any))
			}
			return rows
		}
	}
	t.Fatalf("no policy document at %s", path)
	return nil
}

// grants writes what statements allow as lines "action resource", sorted.
func grants(statements []map[string]any) []string {
	var lines []string
	for _, s := range statements {
		for _, action := range texts(s["actions"]) {
			for _, resource := range texts(s["resources"]) {
				lines = append(lines, action+" "+resource)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func texts(list any) []string {
	var all []string
	if values, ok := list.([]any); ok {
		for _, v := range values {
			all = append(all, v.(string))
		}
	}
	return all
}

// What every task role holds: ECS Exec, its log and its key.
func execGrants(t *testing.T, s stack) []string {
	log := ref("aws_cloudwatch_log_group", s.at(t, "aws_cloudwatch_log_group", "cluster/exec-log-group"), "arn") + ":*"
	key := ref("aws_kms_key", s.at(t, "aws_kms_key", "key/key"), "arn")
	return []string{
		"kms:Decrypt " + key,
		"logs:CreateLogStream " + log,
		"logs:DescribeLogGroups *",
		"logs:DescribeLogStreams " + log,
		"logs:PutLogEvents " + log,
		"ssmmessages:CreateControlChannel *",
		"ssmmessages:CreateDataChannel *",
		"ssmmessages:OpenControlChannel *",
		"ssmmessages:OpenDataChannel *",
	}
}

func TestATaskRoleHoldsWhatItsServiceIsLinkedToAndNothingElse(t *testing.T) {
	for env, s := range environments() {
		queue := ref("aws_sqs_queue", s.at(t, "aws_sqs_queue", "queues/order-placed/queue"), "arn")
		key := ref("aws_kms_key", s.at(t, "aws_kms_key", "key/key"), "arn")
		database := s.at(t, "aws_db_instance", "databases/shop/instance")
		account := s.Provider["aws"][0]["allowed_account_ids"].([]any)[0]
		connect := func(user string) string {
			return fmt.Sprintf("rds-db:connect arn:aws:rds-db:eu-west-1:%s:dbuser:%s/%s", account, ref("aws_db_instance", database, "resource_id"), user)
		}
		for service, links := range map[string][]string{
			"catalog":  {connect("catalog")},
			"orders":   {connect("orders"), "sqs:SendMessage " + queue, "sqs:GetQueueAttributes " + queue, "kms:Decrypt " + key, "kms:GenerateDataKey " + key},
			"payments": {},
			"mailer": {
				"sqs:ReceiveMessage " + queue, "sqs:DeleteMessage " + queue, "sqs:ChangeMessageVisibility " + queue,
				"sqs:GetQueueAttributes " + queue, "kms:Decrypt " + key,
			},
			"report": {connect("report")},
		} {
			want := append(execGrants(t, s), links...)
			slices.Sort(want)
			got := grants(s.statements(t, "services/"+service+"/task-role/document"))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", env, service, diff)
			}
		}
	}
}

// Actions that know no resources, so that * is the only thing to write; and key policies, where * is the key itself.
var unrestrictable = []string{
	"ecr:GetAuthorizationToken",
	"logs:DescribeLogGroups",
	"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
}

func TestNoWildcardResourceButWhereAWSKnowsNoOther(t *testing.T) {
	checked := 0
	for _, s := range platform {
		for _, d := range s.Data["aws_iam_policy_document"] {
			keyPolicy := strings.HasSuffix(pathOf(d), "key/policy")
			for _, row := range d["statement"].([]any) {
				statement := row.(map[string]any)
				checked++
				if !slices.Contains(texts(statement["resources"]), "*") || keyPolicy {
					continue
				}
				for _, action := range texts(statement["actions"]) {
					if !slices.Contains(unrestrictable, action) {
						t.Errorf("%s: %s on every resource", pathOf(d), action)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no statement was checked")
	}
}

func TestNoPolicyIsWrittenAsLiteralJSON(t *testing.T) {
	for _, s := range platform {
		for kind, argument := range map[string]string{
			"aws_iam_role": "assume_role_policy", "aws_iam_role_policy": "policy", "aws_kms_key": "policy",
			"aws_s3_bucket_policy": "policy", "aws_sqs_queue_policy": "policy", "aws_sns_topic_policy": "policy", "aws_ecr_repository_policy": "policy",
		} {
			for _, r := range s.Resource[kind] {
				if value, _ := r[argument].(string); !strings.HasPrefix(value, "${data.aws_iam_policy_document.") {
					t.Errorf("%s: %s is %q, which scanners cannot read", pathOf(r), argument, value)
				}
			}
		}
	}
}

func TestRolesAreAssumedForTheirOwnAccountOnly(t *testing.T) {
	for _, s := range environments() {
		account := s.Provider["aws"][0]["allowed_account_ids"]
		for _, d := range s.Data["aws_iam_policy_document"] {
			if !strings.HasSuffix(pathOf(d), "/trust") {
				continue
			}
			for _, row := range d["statement"].([]any) {
				want := []any{map[string]any{"test": "StringEquals", "variable": "aws:SourceAccount", "values": account}}
				if diff := cmp.Diff(want, row.(map[string]any)["condition"]); diff != "" {
					t.Errorf("%s (-want +got)\n%s", pathOf(d), diff)
				}
			}
		}
	}
}

// connections lists who may open connections to whom, as lines "from -> to:port", read from the rules into each group. Each
// must have its rule out of the other group.
func connections(t *testing.T, s stack) []string {
	t.Helper()
	path := map[string]string{}
	for _, r := range s.Resource["aws_security_group"] {
		p := pathOf(r)
		path[ref("aws_security_group", r, "id")] = strings.TrimSuffix(p[strings.Index(p, "/")+1:], "/security-group")
	}
	read := func(kind string, from, to string) []string {
		var lines []string
		for _, r := range s.Resource[kind] {
			ends := map[string]string{"self": path[r["security_group_id"].(string)]}
			if other, ok := r["referenced_security_group_id"].(string); ok {
				ends["other"] = path[other]
			} else {
				continue // a range or a prefix list
			}
			if r["from_port"] != r["to_port"] || r["ip_protocol"] != "tcp" {
				t.Errorf("%s is wider than one TCP port", pathOf(r))
			}
			lines = append(lines, fmt.Sprintf("%s -> %s:%v", ends[from], ends[to], r["from_port"]))
		}
		slices.Sort(lines)
		return lines
	}
	into := read("aws_vpc_security_group_ingress_rule", "other", "self")
	outOf := slices.DeleteFunc(read("aws_vpc_security_group_egress_rule", "self", "other"), func(line string) bool {
		return strings.HasSuffix(line, "-> network/endpoint-security-group:443") // whose way in is the network's whole range
	})
	if diff := cmp.Diff(into, outOf); diff != "" {
		t.Errorf("rules without their counterpart (-in +out)\n%s", diff)
	}
	return into
}

func TestConnectionsAreExactlyTheLinks(t *testing.T) {
	want := []string{
		"ingress -> services/catalog:8080",
		"ingress -> services/orders:8080",
		"services/catalog -> databases/shop:5432",
		"services/orders -> databases/shop:5432",
		"services/orders -> services/payments:8080",
		"services/report -> databases/shop:5432",
	}
	for env, s := range environments() {
		if diff := cmp.Diff(want, connections(t, s)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", env, diff)
		}
	}
}

func TestOnlyWhatIsDeclaredReachesTheInternetAndNothingIsReachedFromIt(t *testing.T) {
	for env, s := range platform {
		for _, kind := range []string{"aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"} {
			for _, r := range s.Resource[kind] {
				declared := pathOf(r) == env+"/services/payments/egress-internet" && r["from_port"] == 443.0 && r["to_port"] == 443.0
				if (r["cidr_ipv4"] == "0.0.0.0/0" || r["cidr_ipv6"] != nil) && !declared {
					t.Errorf("%s is open to everybody", pathOf(r))
				}
			}
		}
		for _, r := range s.Resource["aws_lb"] {
			if r["internal"] != true {
				t.Errorf("%s is public", pathOf(r))
			}
		}
		for _, r := range s.Resource["aws_db_instance"] {
			if r["publicly_accessible"] != false {
				t.Errorf("%s is public", pathOf(r))
			}
		}
		for _, r := range s.Resource["aws_default_security_group"] {
			if r["ingress"] != nil || r["egress"] != nil {
				t.Errorf("%s has rules", pathOf(r))
			}
		}
	}
}

func TestDatabaseSubnetsHaveNoRouteOut(t *testing.T) {
	for env, s := range environments() {
		table := ref("aws_route_table", s.at(t, "aws_route_table", "network/routes-database"), "id")
		for _, r := range s.Resource["aws_route"] {
			if r["route_table_id"] == table {
				t.Errorf("%s: %s leads out of the database subnets", env, pathOf(r))
			}
		}
	}
}

func TestEveryBucketAndQueueRefusesPlainHTTP(t *testing.T) {
	for _, s := range platform {
		policies := map[string]map[string]any{}
		for _, kind := range []string{"aws_s3_bucket_policy", "aws_sqs_queue_policy"} {
			for _, p := range s.Resource[kind] {
				target, ok := p["bucket"].(string)
				if !ok {
					target = p["queue_url"].(string)
				}
				name := strings.TrimSuffix(strings.TrimPrefix(p["policy"].(string), "${data.aws_iam_policy_document."), ".json}")
				policies[target] = s.Data["aws_iam_policy_document"][name]
			}
		}
		check := func(kind, attribute string) {
			for _, r := range s.Resource[kind] {
				document, ok := policies[ref(kind, r, attribute)]
				if !ok {
					t.Errorf("%s has no policy", pathOf(r))
					continue
				}
				first := document["statement"].([]any)[0].(map[string]any)
				want := []any{map[string]any{"test": "Bool", "variable": "aws:SecureTransport", "values": []any{"false"}}}
				if first["effect"] != "Deny" || !cmp.Equal(want, first["condition"]) {
					t.Errorf("%s does not refuse plain HTTP: %v", pathOf(r), first)
				}
			}
		}
		check("aws_s3_bucket", "id")
		check("aws_sqs_queue", "url")
	}
}

func TestWhatHoldsDataIsEncryptedWithOurKey(t *testing.T) {
	for _, s := range platform {
		for kind, argument := range map[string]string{
			"aws_cloudwatch_log_group": "kms_key_id", "aws_db_instance": "kms_key_id", "aws_sqs_queue": "kms_master_key_id",
			"aws_sns_topic": "kms_master_key_id", "aws_scheduler_schedule": "kms_key_arn",
		} {
			for _, r := range s.Resource[kind] {
				if value, _ := r[argument].(string); !strings.HasPrefix(value, "${aws_kms_key.") {
					t.Errorf("%s: %s is %q", pathOf(r), argument, value)
				}
			}
		}
	}
}

func TestNoPasswordIsInTheJSON(t *testing.T) {
	for env, s := range environments() {
		for _, r := range s.Resource["aws_db_instance"] {
			if r["password"] != nil || r["manage_master_user_password"] != true {
				t.Errorf("%s: RDS does not manage the master password", env)
			}
		}
		for _, r := range s.Resource["aws_ecs_task_definition"] {
			if strings.Contains(strings.ToUpper(r["container_definitions"].(string)), "PASSWORD") {
				t.Errorf("%s mentions a password", pathOf(r))
			}
		}
	}
}
