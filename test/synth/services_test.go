package synth

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/stacks"
)

// Whoever changes the number of tasks owns it: Terraform where nothing else does, autoscaling elsewhere.
func TestTheNumberOfTasksHasOneOwner(t *testing.T) {
	for system, config := range samples {
		for _, e := range config.Environments {
			s := synthesized(t, system)[e.Name]
			for _, declared := range config.Platform.Services {
				if !declared.Kind.LongRunning() {
					continue
				}
				path := "services/" + declared.Name
				size, sized := e.Sizes[declared.Name]
				if !sized {
					size = e.Size
				}
				byClock := e.Sleep != nil || len(size.Scheduled) > 0
				scales := size.MinTasks < size.MaxTasks || byClock
				var owned any
				if scales {
					owned = map[string]any{"ignore_changes": []any{"desired_count"}}
				}
				if diff := cmp.Diff(owned, s.at(t, "aws_ecs_service", path+"/service")["lifecycle"]); diff != "" {
					t.Errorf("%s %s (-want +got)\n%s", system, path, diff)
				}
				targets := s.below("aws_appautoscaling_target", path)
				if (len(targets) == 1) != scales {
					t.Errorf("%s %s has %d scaling targets, scales: %v", system, path, len(targets), scales)
				}
				for _, target := range targets {
					var bounds any
					if byClock {
						bounds = map[string]any{"ignore_changes": []any{"min_capacity", "max_capacity"}}
					}
					if diff := cmp.Diff(bounds, target["lifecycle"]); diff != "" {
						t.Errorf("%s %s (-want +got)\n%s", system, path, diff)
					}
				}
			}
		}
	}
}

func TestSleepStopsEveryTaskAndWakesAsManyAsBefore(t *testing.T) {
	s, settings := platform["dev"], stacks.Dev
	found := 0
	for _, action := range s.Resource["aws_appautoscaling_scheduled_action"] {
		bounds := action["scalable_target_action"].(map[string]any)
		var want map[string]any
		switch action["name"] {
		case "sleep":
			want = map[string]any{"min_capacity": "0", "max_capacity": "0"}
		case "wake":
			want = map[string]any{"min_capacity": "1", "max_capacity": "2"}
		}
		if diff := cmp.Diff(want, bounds); diff != "" {
			t.Errorf("%s (-want +got)\n%s", pathOf(action), diff)
		}
		if action["timezone"] != settings.Sleep.TimeZone {
			t.Errorf("%s is in %v", pathOf(action), action["timezone"])
		}
		found++
	}
	if want := 2 * len(s.Resource["aws_ecs_service"]); found != want {
		t.Errorf("%d scheduled actions, want %d", found, want)
	}
}

func TestAWorkerScalesOnItsBacklogAndNothingElse(t *testing.T) {
	for env, s := range environments() {
		for _, declared := range stacks.All.Platform.Services {
			if declared.Consumes == "" {
				continue
			}
			policies := s.below("aws_appautoscaling_policy", "services/"+declared.Name)
			if len(policies) != 1 {
				t.Fatalf("%s %s has %d policies", env, declared.Name, len(policies))
			}
			tracking := policies[0]["target_tracking_scaling_policy_configuration"].(map[string]any)
			metrics := tracking["customized_metric_specification"].(map[string]any)["metrics"].([]any)
			var returned []any
			for _, m := range metrics {
				row := m.(map[string]any)
				if row["return_data"] == true {
					returned = append(returned, row["expression"])
					continue
				}
				stat := row["metric_stat"].(map[string]any)["metric"].(map[string]any)
				if stat["namespace"] == "AWS/SQS" {
					want := "${aws_sqs_queue."
					if queue := stat["dimensions"].([]any)[0].(map[string]any)["value"].(string); !strings.HasPrefix(queue, want) {
						t.Errorf("%s %s measures the queue %s", env, declared.Name, queue)
					}
				}
			}
			if diff := cmp.Diff([]any{declared.Backlog.Expression()}, returned); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", env, declared.Name, diff)
			}
		}
	}
}

// What viewers would notice rolls a deployment back, by the alarms of this very service.
func TestADeploymentIsRolledBackByTheServicesOwnAlarms(t *testing.T) {
	for env, s := range environments() {
		for path, want := range map[string][]string{
			"services/catalog/service":  {"catalog-5xx", "catalog-latency", "catalog-unhealthy"},
			"services/orders/service":   {"orders-5xx", "orders-latency", "orders-unhealthy"},
			"services/mailer/service":   {"mail-age"},
			"services/shipping/service": {"to-ship-age"},
			"services/payments/service": nil,
		} {
			r := s.at(t, "aws_ecs_service", path)
			var names []string
			if alarms, set := r["alarms"].(map[string]any); set {
				for _, reference := range alarms["alarm_names"].([]any) {
					for id, alarm := range s.Resource["aws_cloudwatch_metric_alarm"] {
						if reference == "${aws_cloudwatch_metric_alarm."+id+".alarm_name}" {
							names = append(names, strings.TrimPrefix(alarm["alarm_name"].(string), "shop-"+env+"-"))
						}
					}
				}
				if alarms["enable"] != true || alarms["rollback"] != true {
					t.Errorf("%s: %v", pathOf(r), alarms)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("%s (-want +got)\n%s", pathOf(r), diff)
			}
		}
	}
}

// A request that is being answered is answered: nothing on its way gives up before the service may.
func TestARequestHasItsTimeEverywhere(t *testing.T) {
	s := synthesized(t, "options")["demo"]
	target := s.at(t, "aws_lb_target_group", "services/desk/target-group")
	if target["deregistration_delay"] != "60" {
		t.Errorf("the target group drains for %v s", target["deregistration_delay"])
	}
	if idle, _ := s.at(t, "aws_lb", "ingress/load-balancer")["idle_timeout"].(float64); idle != 0 && idle < 60 {
		t.Errorf("the load balancer gives up after %v s", idle)
	}
	for _, c := range containers(t, s.at(t, "aws_ecs_task_definition", "services/desk/task-definition")) {
		if stop := c["stopTimeout"].(float64); stop < 60 {
			t.Errorf("%v is killed after %v s", c["name"], stop)
		}
	}
}

func TestATaskIsStartedByItsParameterAlone(t *testing.T) {
	s := platform["dev"]
	var request map[string]any
	text := s.at(t, "aws_ssm_parameter", "services/migrate/run")["insecure_value"].(string)
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	cluster := s.at(t, "aws_ecs_cluster", "cluster/cluster")
	group := s.at(t, "aws_security_group", "services/migrate/security-group")
	want := map[string]any{
		"cluster":                  ref("aws_ecs_cluster", cluster, "name"),
		"taskDefinition":           "shop-dev-migrate",
		"capacityProviderStrategy": []any{map[string]any{"capacityProvider": "FARGATE_SPOT", "base": 0.0, "weight": 100.0}},
		"propagateTags":            "TASK_DEFINITION",
		"enableECSManagedTags":     true,
		"networkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{
			"assignPublicIp": "DISABLED",
			"securityGroups": []any{ref("aws_security_group", group, "id")},
			"subnets": []any{
				ref("aws_subnet", s.at(t, "aws_subnet", "network/private-a"), "id"),
				ref("aws_subnet", s.at(t, "aws_subnet", "network/private-b"), "id"),
			},
		}},
	}
	if diff := cmp.Diff(want, request); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
