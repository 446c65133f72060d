package synth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

// containers reads the container definitions of a task.
func containers(t *testing.T, task map[string]any) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(task["container_definitions"].(string)), &list); err != nil {
		t.Fatalf("%s: %v", pathOf(task), err)
	}
	return list
}

func TestEveryServiceLogsToItsOwnGroup(t *testing.T) {
	for _, s := range environments() {
		for _, declared := range stacks.All.Platform.Services {
			group := s.at(t, "aws_cloudwatch_log_group", "services/"+declared.Name+"/log-group")
			if want := "/ecs/" + declared.Name; group["name"] != want {
				t.Errorf("%s is named %v, want %s", pathOf(group), group["name"], want)
			}
			task := s.at(t, "aws_ecs_task_definition", "services/"+declared.Name+"/task-definition")
			for _, c := range containers(t, task) {
				options := c["logConfiguration"].(map[string]any)["options"].(map[string]any)
				if options["awslogs-group"] != ref("aws_cloudwatch_log_group", group, "name") || options["awslogs-stream-prefix"] != "ecs" {
					t.Errorf("%s logs to %v", pathOf(task), options)
				}
			}
		}
	}
}

// A release writes the image's parameter: Terraform reads it, and takes neither it nor a newer revision back.
func TestAReleaseLeavesNothingForTerraformToChange(t *testing.T) {
	for env, s := range environments() {
		for _, declared := range stacks.All.Platform.Services {
			path := "services/" + declared.Name
			parameter := s.at(t, "aws_ssm_parameter", path+"/image")
			if want := fmt.Sprintf("/shop/%s/%s/image", env, declared.Name); parameter["name"] != want {
				t.Errorf("parameter %v, want %s", parameter["name"], want)
			}
			if diff := cmp.Diff(map[string]any{"ignore_changes": []any{"insecure_value", "description"}}, parameter["lifecycle"]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", pathOf(parameter), diff)
			}
			task := s.at(t, "aws_ecs_task_definition", path+"/task-definition")
			if task["track_latest"] != true {
				t.Errorf("%s does not track the latest revision", pathOf(task))
			}
			if image := containers(t, task)[0]["image"]; image != ref("aws_ssm_parameter", parameter, "insecure_value") {
				t.Errorf("%s runs %v", pathOf(task), image)
			}
		}
	}
}

// While the parameter holds what Terraform gave it there is no image: nothing runs, and nothing may try to.
func TestAServiceWaitsAtZeroForItsFirstRelease(t *testing.T) {
	for env, s := range environments() {
		e := stacks.All.Environments[slices.IndexFunc(stacks.All.Environments, func(e stacks.Environment) bool { return e.Name == env })]
		for _, declared := range stacks.All.Platform.Services {
			path := "services/" + declared.Name
			parameter := s.at(t, "aws_ssm_parameter", path+"/image")
			unreleased := service.Unreleased("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop", declared.Name)
			if parameter["insecure_value"] != unreleased {
				t.Errorf("%s begins as %v, want %s", pathOf(parameter), parameter["insecure_value"], unreleased)
			}
			if !declared.Kind.LongRunning() {
				continue
			}
			waits := strings.TrimSuffix(ref("aws_ssm_parameter", parameter, "insecure_value"), "}") + fmt.Sprintf(" == %q)", unreleased)
			waits = strings.Replace(waits, "${", "${(", 1)
			size := e.SizeOf(declared.Name)
			running := s.at(t, "aws_ecs_service", path+"/service")
			if want := fmt.Sprintf("%s ? 0 : %d}", waits, size.MinTasks); running["desired_count"] != want {
				t.Errorf("%s: %v tasks, want %s", pathOf(running), running["desired_count"], want)
			}
			target := s.at(t, "aws_appautoscaling_target", path+"/scaling-target")
			want := map[string]any{
				"dynamic_scaling_in_suspended": waits + "}", "dynamic_scaling_out_suspended": waits + "}", "scheduled_scaling_suspended": waits + "}",
			}
			if diff := cmp.Diff(want, target["suspended_state"]); diff != "" {
				t.Errorf("%s (-want +got)\n%s", pathOf(target), diff)
			}
		}
	}
}

func TestThePageIsAReleaseToo(t *testing.T) {
	for env, s := range environments() {
		parameter := s.at(t, "aws_ssm_parameter", "frontend/release")
		if want := fmt.Sprintf("/shop/%s/web/release", env); parameter["name"] != want {
			t.Errorf("parameter %v, want %s", parameter["name"], want)
		}
		if diff := cmp.Diff(map[string]any{"ignore_changes": []any{"insecure_value", "description"}}, parameter["lifecycle"]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", pathOf(parameter), diff)
		}
	}
}

func TestContainersGetTheVariablesOfTheirLinks(t *testing.T) {
	s := platform["dev"]
	database := s.at(t, "aws_db_instance", "databases/shop/instance")
	secret := s.at(t, "aws_secretsmanager_secret", "secrets/order-signing/secret")
	topic := s.at(t, "aws_sns_topic", "topics/order-placed/topic")
	task := s.at(t, "aws_ecs_task_definition", "services/orders/task-definition")
	got := map[string]string{}
	for _, v := range containers(t, task)[0]["environment"].([]any) {
		pair := v.(map[string]any)
		got[pair["name"].(string)] = pair["value"].(string)
	}
	want := map[string]string{
		"AWS_REGION":               "eu-west-1",
		"DATABASE_SHOP_HOST":       ref("aws_db_instance", database, "address"),
		"DATABASE_SHOP_NAME":       "shop",
		"DATABASE_SHOP_PORT":       "5432",
		"DATABASE_SHOP_USER":       "orders",
		"PORT":                     "8080",
		"SECRET_ORDER_SIGNING_ARN": ref("aws_secretsmanager_secret", secret, "arn"),
		"SERVICE_NAME":             "orders",
		"SERVICE_PAYMENTS_URL":     "http://payments",
		"TOPIC_ORDER_PLACED_ARN":   ref("aws_sns_topic", topic, "arn"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOnlyAWebServiceIsBehindTheLoadBalancer(t *testing.T) {
	for _, s := range environments() {
		for _, declared := range stacks.All.Platform.Services {
			switch declared.Kind {
			case service.Job:
				s.at(t, "aws_scheduler_schedule", "services/"+declared.Name+"/schedule")
				continue
			case service.Task:
				s.at(t, "aws_ssm_parameter", "services/"+declared.Name+"/run")
				continue
			}
			r := s.at(t, "aws_ecs_service", "services/"+declared.Name+"/service")
			if behind := r["load_balancer"] != nil; behind != (declared.Kind == service.Web) {
				t.Errorf("%s: behind the load balancer: %v", pathOf(r), behind)
			}
		}
	}
}

func TestListenerRulesSendEachPathToItsService(t *testing.T) {
	s := platform["prod"]
	for _, declared := range stacks.All.Platform.Services {
		if declared.Kind != service.Web {
			continue
		}
		rule := s.at(t, "aws_lb_listener_rule", "services/"+declared.Name+"/listener-rule")
		condition := rule["condition"].([]any)[0].(map[string]any)["path_pattern"].(map[string]any)["values"]
		if diff := cmp.Diff([]any{declared.Path, declared.Path + "/*"}, condition); diff != "" {
			t.Errorf("%s (-want +got)\n%s", pathOf(rule), diff)
		}
		target := s.at(t, "aws_lb_target_group", "services/"+declared.Name+"/target-group")
		if got := rule["action"].([]any)[0].(map[string]any)["target_group_arn"]; got != ref("aws_lb_target_group", target, "arn") {
			t.Errorf("%s forwards to %v", pathOf(rule), got)
		}
	}
}

func TestADomainBringsTLSAndARedirect(t *testing.T) {
	prod, dev := platform["prod"], platform["dev"]
	https := prod.at(t, "aws_lb_listener", "ingress/https")
	if https["protocol"] != "HTTPS" || https["ssl_policy"] != "ELBSecurityPolicy-TLS13-1-2-2021-06" {
		t.Errorf("prod listens with %v %v", https["protocol"], https["ssl_policy"])
	}
	action := prod.at(t, "aws_lb_listener", "ingress/http")["default_action"].([]any)[0].(map[string]any)
	if action["type"] != "redirect" {
		t.Errorf("prod answers HTTP with %v", action)
	}
	viewer := prod.at(t, "aws_cloudfront_distribution", "frontend/distribution")["viewer_certificate"].(map[string]any)
	if viewer["minimum_protocol_version"] != "TLSv1.2_2021" {
		t.Errorf("prod's viewers may use %v", viewer)
	}
	if len(dev.Resource["aws_lb_listener"]) != 1 {
		t.Errorf("dev, which has no certificate, has %d listeners", len(dev.Resource["aws_lb_listener"]))
	}
}

// A missing page of the API must stay missing: only the bucket's behaviour falls back to index.html.
func TestTheFallbackIsForTheSiteOnly(t *testing.T) {
	for env, s := range environments() {
		d := s.at(t, "aws_cloudfront_distribution", "frontend/distribution")
		if d["custom_error_response"] != nil {
			t.Errorf("%s rewrites errors for every origin", env)
		}
		if d["default_cache_behavior"].(map[string]any)["function_association"] == nil {
			t.Errorf("%s: the site has no fallback", env)
		}
		for _, b := range d["ordered_cache_behavior"].([]any) {
			if behaviour := b.(map[string]any); behaviour["function_association"] != nil {
				t.Errorf("%s: %v falls back", env, behaviour["path_pattern"])
			}
		}
	}
}

func TestEveryAlarmNotifiesTheTopicAndSaysWhatToDo(t *testing.T) {
	for env, s := range environments() {
		topic := []any{ref("aws_sns_topic", s.at(t, "aws_sns_topic", "monitoring/topic"), "arn")}
		if len(s.Resource["aws_cloudwatch_metric_alarm"]) < 10 {
			t.Errorf("%s has %d alarms", env, len(s.Resource["aws_cloudwatch_metric_alarm"]))
		}
		for _, r := range s.Resource["aws_cloudwatch_metric_alarm"] {
			if !cmp.Equal(r["alarm_actions"], any(topic)) || !cmp.Equal(r["ok_actions"], any(topic)) {
				t.Errorf("%s notifies %v", pathOf(r), r["alarm_actions"])
			}
			if text, _ := r["alarm_description"].(string); len(text) < 30 {
				t.Errorf("%s says only %q", pathOf(r), text)
			}
		}
	}
}

func TestProductionIsProtectedAgainstDeletion(t *testing.T) {
	s := platform["prod"]
	if s.at(t, "aws_db_instance", "databases/shop/instance")["deletion_protection"] != true {
		t.Error("the database can be deleted")
	}
	if s.at(t, "aws_lb", "ingress/load-balancer")["enable_deletion_protection"] != true {
		t.Error("the load balancer can be deleted")
	}
	for _, path := range []string{"frontend/site/bucket", "logs/bucket"} {
		if diff := cmp.Diff(map[string]any{"prevent_destroy": true}, s.at(t, "aws_s3_bucket", path)["lifecycle"]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

// AWS's default quotas, which nothing but an apply would find exceeded.
func TestDefaultQuotasHold(t *testing.T) {
	for env, s := range environments() {
		rules := map[any]int{}
		for _, kind := range []string{"aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"} {
			for _, r := range s.Resource[kind] {
				weight := 1
				if list, _ := r["prefix_list_id"].(string); strings.Contains(list, "managed_prefix_list") {
					weight = 55 // CloudFront's
				}
				rules[fmt.Sprint(kind, r["security_group_id"])] += weight
			}
		}
		for group, count := range rules {
			if count > 60 {
				t.Errorf("%s: %v counts as %d rules of 60", env, group, count)
			}
		}
		for what, quota := range map[string]int{"aws_lb_listener_rule": 100, "aws_eip": 5, "aws_route_table": 200, "aws_vpc_endpoint": 50} {
			if got := len(s.Resource[what]); got > quota {
				t.Errorf("%s: %d %s of %d", env, got, what, quota)
			}
		}
	}
}

func TestAFifthServiceIsOneEntryAndTouchesNothingElse(t *testing.T) {
	c := stacks.All
	c.Platform.Services = append(slices.Clone(c.Platform.Services), stacks.Service{
		Name: "reviews", Kind: service.Web, Path: "/api/reviews", Uses: []string{"shop"},
	})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	after := synthesize(c, t.TempDir())
	// What knows every service: the dashboard, and what lets it into its database.
	changed := []string{"monitoring/dashboard", "databases/shop/proxy", "services/migrate/task-definition"}
	for env, before := range environments() {
		for kind, resources := range before.Resource {
			for id, r := range resources {
				path := strings.TrimPrefix(pathOf(r), env+"/")
				if slices.Contains(changed, path) {
					continue
				}
				if diff := cmp.Diff(r, after[env].Resource[kind][id]); diff != "" {
					t.Errorf("%s changed (-before +after)\n%s", pathOf(r), diff)
				}
			}
		}
		for _, kind := range []string{"aws_ecs_service", "aws_lb_target_group", "aws_iam_role", "aws_cloudwatch_log_group"} {
			if len(after[env].Resource[kind]) <= len(before.Resource[kind]) {
				t.Errorf("%s: no new %s", env, kind)
			}
		}
	}
	if len(after["shared"].Resource["aws_ecr_repository"]) != len(platform["shared"].Resource["aws_ecr_repository"])+1 {
		t.Error("no new repository")
	}
}
