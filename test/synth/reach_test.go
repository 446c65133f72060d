package synth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

// connections are who may open connections to whom, as lines "from -> to:port". Both ends must say so: a security group lets
// nothing out and nothing in by itself. The ends are found by what a group is attached to, not by its name.
func (w *world) connections() []string {
	w.t.Helper()
	groups := w.groups()
	type end struct {
		peer string
		port int
	}
	read := func(kind string) map[string][]end {
		rules := map[string][]end{}
		for _, r := range w.Resource[kind] {
			from, _ := r["from_port"].(float64)
			to, _ := r["to_port"].(float64)
			if from == 0 || from != to || r["ip_protocol"] != "tcp" {
				w.t.Errorf("%s is wider than one TCP port", pathOf(r))
			}
			self := groups[r["security_group_id"].(string)]
			rules[self] = append(rules[self], end{w.peer(r, groups), int(from)})
		}
		return rules
	}
	out, in := read("aws_vpc_security_group_egress_rule"), read("aws_vpc_security_group_ingress_rule")
	isGroup := func(name string) bool { return slices.Contains(slices.Collect(maps.Values(groups)), name) }
	var lines []string
	for from, ends := range out {
		for _, to := range ends {
			line := fmt.Sprintf("%s -> %s:%d", from, to.peer, to.port)
			if isGroup(to.peer) && !slices.Contains(in[to.peer], end{from, to.port}) && !slices.Contains(in[to.peer], end{"the network", to.port}) {
				w.t.Errorf("%s: %s is let out and not in", w.where, line)
				continue
			}
			lines = append(lines, line)
		}
	}
	for to, ends := range in {
		for _, from := range ends {
			line := fmt.Sprintf("%s -> %s:%d", from.peer, to, from.port)
			switch {
			case !isGroup(from.peer):
				lines = append(lines, line)
			case !slices.Contains(out[from.peer], end{to, from.port}):
				w.t.Errorf("%s: %s is let in and not out", w.where, line)
			}
		}
	}
	return lines
}

// groups names the security groups by what they are attached to.
func (w *world) groups() map[string]string {
	w.t.Helper()
	names := map[string]string{}
	for id, g := range w.Resource["aws_security_group"] {
		if g["ingress"] != nil || g["egress"] != nil {
			w.t.Errorf("%s has rules of its own", pathOf(g))
		}
		reference := "${aws_security_group." + id + ".id}"
		users := map[string]bool{}
		for kind, resources := range w.Resource {
			if strings.HasPrefix(kind, "aws_vpc_security_group_") {
				continue
			}
			for _, r := range resources {
				text, err := json.Marshal(r)
				if err != nil {
					w.t.Fatal(err)
				}
				if strings.Contains(string(text), reference) {
					path := w.path(r)
					if kind != "aws_db_proxy" { // which is beside its database
						path = parent(path)
					}
					users[path] = true
				}
			}
		}
		if len(users) != 1 {
			w.t.Errorf("%s is attached to %v: one thing expected", pathOf(g), slices.Sorted(maps.Keys(users)))
		}
		for user := range users {
			names[reference] = user
		}
	}
	for _, r := range w.Resource["aws_default_security_group"] {
		if r["ingress"] != nil || r["egress"] != nil {
			w.t.Errorf("%s, which everything without a group gets, has rules", pathOf(r))
		}
	}
	for _, kind := range []string{"aws_security_group_rule", "aws_network_interface_sg_attachment"} {
		for _, r := range w.Resource[kind] {
			w.t.Errorf("%s: what a %s opens is not known here", pathOf(r), kind)
		}
	}
	return names
}

// peer names the other end of a rule.
func (w *world) peer(r map[string]any, groups map[string]string) string {
	group, _ := r["referenced_security_group_id"].(string)
	list, _ := r["prefix_list_id"].(string)
	network := ""
	for _, vpc := range w.Resource["aws_vpc"] {
		network = vpc["cidr_block"].(string)
	}
	switch {
	case groups[group] != "":
		return groups[group]
	case r["cidr_ipv4"] == "0.0.0.0/0":
		return "the internet"
	case r["cidr_ipv4"] == network:
		return "the network"
	case strings.HasPrefix(list, "${data.aws_ec2_managed_prefix_list."):
		name, _, _ := strings.Cut(strings.TrimPrefix(list, "${data.aws_ec2_managed_prefix_list."), ".")
		return w.Data["aws_ec2_managed_prefix_list"][name]["name"].(string)
	case strings.HasPrefix(list, "${aws_vpc_endpoint."):
		id, _, _ := strings.Cut(strings.TrimPrefix(list, "${aws_vpc_endpoint."), ".")
		return w.Resource["aws_vpc_endpoint"][id]["service_name"].(string)
	}
	return fmt.Sprint("unknown: ", r["cidr_ipv4"], r["cidr_ipv6"], group, list)
}

// declaredConnections are those that the links take.
func (w *world) declaredConnections() []string {
	e := w.environment()
	var lines []string
	connect := func(from, to string, port int) { lines = append(lines, fmt.Sprintf("%s -> %s:%d", from, to, port)) }
	services := w.config.Platform.Services
	port := func(name string) int {
		i := slices.IndexFunc(services, func(s stacks.Service) bool { return s.Name == name })
		return cmp.Or(services[i].Container.Port, 8080)
	}
	const cloudfront = "com.amazonaws.global.cloudfront.origin-facing"
	if e.Domain == nil {
		connect(cloudfront, "ingress", 80)
	} else {
		connect(cloudfront, "ingress", 443)
		connect("the network", "ingress", 80) // to be redirected
	}
	connect("the network", "network", 443) // the endpoints of AWS's services
	if e.Capacity.EC2 != nil {
		connect("cluster/ec2", "network", 443)
		connect("cluster/ec2", "com.amazonaws."+e.Region+".s3", 443)
	}
	for _, s := range services {
		self := "services/" + s.Name
		connect(self, "network", 443)
		connect(self, "com.amazonaws."+e.Region+".s3", 443)
		if s.Internet {
			connect(self, "the internet", 443)
		}
		if s.Kind == service.Web {
			connect("ingress", self, port(s.Name))
		}
		for _, name := range s.Calls {
			connect(self, "services/"+name, port(name))
		}
		for _, name := range slices.Concat(s.Uses, s.Reads) {
			to := w.databaseFor(s.Name, name)
			if !strings.HasSuffix(to, "/proxy") {
				to = "databases/" + name
			}
			connect(self, to, 5432)
		}
		for _, name := range s.Owns {
			connect(self, "databases/"+name, 5432)
		}
	}
	for _, d := range w.config.Platform.Databases {
		if len(w.proxied(d.Name)) > 0 {
			connect("databases/"+d.Name+"/proxy", "databases/"+d.Name, 5432)
		}
	}
	return lines
}

func TestConnectionsAreWhatTheDeclarationSaysAndNoOthers(t *testing.T) {
	for where, w := range worlds(t) {
		differ(t, where, w.declaredConnections(), w.connections())
	}
}

// series is one metric that an alarm watches.
type series struct {
	namespace, name string
	dimensions      map[string]string
}

// alarms are what is watched, each with the alarm that does.
func (w *world) alarms() []struct {
	series
	alarm map[string]any
} {
	type row = struct {
		series
		alarm map[string]any
	}
	var all []row
	read := func(alarm, m map[string]any) {
		s := series{namespace: fmt.Sprint(m["namespace"]), name: fmt.Sprint(m["metric_name"]), dimensions: map[string]string{}}
		dimensions, _ := m["dimensions"].(map[string]any)
		for name, value := range dimensions {
			s.dimensions[name] = w.plain(value.(string))
		}
		all = append(all, row{s, alarm})
	}
	for _, alarm := range w.Resource["aws_cloudwatch_metric_alarm"] {
		if alarm["metric_name"] != nil {
			read(alarm, alarm)
		}
		queries, _ := alarm["metric_query"].([]any)
		for _, q := range queries {
			if m, ok := q.(map[string]any)["metric"].(map[string]any); ok {
				read(alarm, m)
			}
		}
	}
	return all
}

// plain resolves a text where that is possible, and else leaves it.
func (w *world) plain(text string) string {
	if resolved, err := w.arns.Resolve(text); err == nil {
		return resolved
	}
	return text
}

// mustWatch fails unless an alarm watches a metric with these dimensions at least and tells somebody.
func (w *world) mustWatch(what, namespace, name string, dimensions map[string]string) {
	w.t.Helper()
	topics := map[string]bool{}
	for _, topic := range w.Resource["aws_sns_topic"] {
		topics[ref("aws_sns_topic", topic, "arn")] = true
	}
	for _, row := range w.alarms() {
		if row.namespace != namespace || row.name != name {
			continue
		}
		same := true
		for key, value := range dimensions {
			same = same && row.dimensions[key] == w.plain(value)
		}
		told := slices.ContainsFunc(texts(row.alarm["alarm_actions"]), func(to string) bool { return topics[to] })
		if same && told && row.alarm["actions_enabled"] != false {
			return
		}
	}
	w.t.Errorf("%s: nobody is told of the %s of %s", w.where, name, what)
}

func TestEveryQueueHasDeadLettersAndSomebodyIsToldOfThem(t *testing.T) {
	for where, w := range worlds(t) {
		queues := map[string]map[string]any{} // by ARN
		for id, q := range w.Resource["aws_sqs_queue"] {
			queues[w.resolve("${aws_sqs_queue."+id+".arn}")] = q
		}
		dead := map[string]bool{}
		target := func(from map[string]any, document any) {
			var policy struct {
				DeadLetterTargetArn string `json:"deadLetterTargetArn"`
				MaxReceiveCount     int    `json:"maxReceiveCount"`
			}
			text, _ := document.(string)
			if err := json.Unmarshal([]byte(text), &policy); err != nil {
				t.Errorf("%s: its dead letters go to %v (%v)", pathOf(from), document, err)
				return
			}
			to := queues[w.resolve(policy.DeadLetterTargetArn)]
			if to == nil {
				t.Errorf("%s: its dead letters go to %s, which is no queue here", pathOf(from), policy.DeadLetterTargetArn)
				return
			}
			if to["fifo_queue"] != from["fifo_queue"] && from["fifo_queue"] != nil {
				t.Errorf("%s keeps the order, its dead letters' queue does not", pathOf(from))
			}
			dead[w.resolve(policy.DeadLetterTargetArn)] = true
		}
		for _, q := range queues {
			if q["redrive_policy"] != nil {
				target(q, q["redrive_policy"])
			}
		}
		for _, s := range w.Resource["aws_sns_topic_subscription"] {
			if s["protocol"] == "sqs" {
				target(s, s["redrive_policy"])
			}
		}
		for _, s := range w.Resource["aws_scheduler_schedule"] {
			if s["target"].(map[string]any)["ecs_parameters"] == nil {
				continue // it starts no task
			}
			config, _ := s["target"].(map[string]any)["dead_letter_config"].(map[string]any)
			arn, _ := config["arn"].(string)
			if queues[w.resolve(arn)] == nil {
				t.Errorf("%s: what could not be started goes to %q", pathOf(s), arn)
			}
			dead[w.resolve(arn)] = true
		}
		for arn, q := range queues {
			switch {
			case dead[arn]:
				w.mustWatch(w.path(q), "AWS/SQS", "ApproximateNumberOfMessagesVisible", map[string]string{"QueueName": q["name"].(string)})
			case q["redrive_policy"] == nil:
				t.Errorf("%s: %s has no dead letters", where, w.path(q))
			}
		}
		for _, s := range w.config.Platform.Services {
			if s.Consumes != "" {
				q := w.at(t, "aws_sqs_queue", "queues/"+s.Consumes+"/queue")
				w.mustWatch(w.path(q), "AWS/SQS", "ApproximateAgeOfOldestMessage", map[string]string{"QueueName": q["name"].(string)})
			}
		}
	}
}

func TestEveryWebServiceIsCheckedScaledAndWatched(t *testing.T) {
	for where, w := range worlds(t) {
		for _, s := range w.config.Platform.Services {
			if s.Kind != service.Web {
				continue
			}
			running := w.at(t, "aws_ecs_service", "services/"+s.Name+"/service")
			balancers, _ := running["load_balancer"].([]any)
			if len(balancers) != 1 {
				t.Errorf("%s: %s is behind %d load balancers", where, s.Name, len(balancers))
				continue
			}
			group := w.referred(balancers[0].(map[string]any)["target_group_arn"], "aws_lb_target_group")
			check, _ := group["health_check"].(map[string]any)
			if want := cmp.Or(s.Requests.HealthPath, "/healthz"); check["enabled"] != true || check["path"] != want {
				t.Errorf("%s: %s is asked %v for its health, %s declared", where, s.Name, check, want)
			}
			for _, metric := range []string{"HTTPCode_Target_5XX_Count", "TargetResponseTime", "UnHealthyHostCount"} {
				w.mustWatch("service "+s.Name, "AWS/ApplicationELB", metric, map[string]string{
					"TargetGroup": ref("aws_lb_target_group", group, "arn_suffix"), "LoadBalancer": w.balancer(),
				})
			}
		}
	}
}

func TestEveryServiceThatRunsAllTheTimeIsScaledAndWatched(t *testing.T) {
	for where, w := range worlds(t) {
		for _, s := range w.config.Platform.Services {
			if !s.Kind.LongRunning() {
				continue
			}
			running := w.at(t, "aws_ecs_service", "services/"+s.Name+"/service")
			cluster := w.referred(running["cluster"], "aws_ecs_cluster")
			dimensions := map[string]string{"ClusterName": cluster["name"].(string), "ServiceName": running["name"].(string)}
			w.mustWatch("service "+s.Name, "ECS/ContainerInsights", "RunningTaskCount", dimensions)
			e := w.environment()
			size, sized := e.Sizes[s.Name]
			if !sized {
				size = e.Size
			}
			if size.MinTasks == size.MaxTasks {
				continue
			}
			id := fmt.Sprintf("service/%s/%s", cluster["name"], running["name"])
			scaled, followed := false, false
			for _, target := range w.Resource["aws_appautoscaling_target"] {
				if w.resolve(target["resource_id"].(string)) == id {
					scaled = bound(target["min_capacity"], size.MinTasks) && bound(target["max_capacity"], size.MaxTasks)
				}
			}
			for _, p := range w.Resource["aws_appautoscaling_policy"] {
				followed = followed || strings.HasPrefix(w.path(p), "services/"+s.Name+"/") && p["policy_type"] == "TargetTrackingScaling"
			}
			if !scaled || !followed {
				t.Errorf("%s: %s is not scaled between %d and %d tasks", where, s.Name, size.MinTasks, size.MaxTasks)
			}
		}
	}
}

// bound tells whether a bound is the number once there is an image.
func bound(argument any, tasks int) bool {
	text, _ := argument.(string)
	return strings.HasSuffix(text, fmt.Sprintf(") ? 0 : %d}", tasks))
}

// referred is the resource that an argument refers to.
func (w *world) referred(argument any, kind string) map[string]any {
	w.t.Helper()
	text, _ := argument.(string)
	id, _, _ := strings.Cut(strings.TrimPrefix(text, "${"+kind+"."), ".")
	r, ok := w.Resource[kind][id]
	if !ok {
		w.t.Fatalf("%s: %v refers to no %s", w.where, argument, kind)
	}
	return r
}

// balancer is the dimension of the one load balancer.
func (w *world) balancer() string {
	for _, r := range w.Resource["aws_lb"] {
		return ref("aws_lb", r, "arn_suffix")
	}
	return ""
}
