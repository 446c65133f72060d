package planreview

import (
	"fmt"
	"math"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// Cost is what the stack costs a month by its configuration, before and after.
type Cost struct {
	Before, After float64
	// Items are the resources whose price differs, sorted by their paths.
	Items []Item
	// Unpriced are the changed resources that cost by their configuration but have no price in the table.
	Unpriced []string
}

// Difference is what the plan adds to the bill of a month.
func (c Cost) Difference() float64 { return cents(c.After - c.Before) }

// Item is what one resource costs a month.
type Item struct {
	Group, Path, What string
	Before, After     float64
}

func cents(x float64) float64 { return math.Round(x*100) / 100 }

// stock is a stack's resources, before or after.
type stock struct {
	all []resource
	// subnets are how many subnets the configuration gives a resource, by its address.
	subnets map[string]int
}

type resource struct {
	Change
	values map[string]any
}

// subnetsOf counts the subnets that the configuration names, for those that have no id yet.
func subnetsOf(plan *tfjson.Plan) map[string]int {
	count := map[string]int{}
	if plan.Config == nil || plan.Config.RootModule == nil {
		return count
	}
	for _, r := range plan.Config.RootModule.Resources {
		e := r.Expressions["subnet_ids"]
		if e == nil || e.ExpressionData == nil {
			continue
		}
		for _, reference := range e.References {
			if strings.HasPrefix(reference, "aws_subnet.") && strings.Count(reference, ".") == 1 {
				count[r.Address]++
			}
		}
	}
	return count
}

// price is what a resource costs a month. Without a price it has a reason.
type price struct {
	amount float64
	what   string
	reason string
}

// rows say by type how a resource is priced. A type that is not here costs nothing by its configuration, but for those in
// unpriced.
var rows = map[string]func(stock, resource) price{
	"aws_ecs_service":             fargate,
	"aws_autoscaling_group":       instances,
	"aws_instance":                instance,
	"aws_nat_gateway":             flat("nat", "NAT gateway"),
	"aws_eip":                     flat("address", "public address"),
	"aws_lb":                      balancer,
	"aws_vpc_endpoint":            endpoint,
	"aws_db_instance":             database,
	"aws_rds_cluster":             aurora,
	"aws_rds_cluster_instance":    auroraInstance,
	"aws_db_proxy":                proxy,
	"aws_kms_key":                 flat("kms.key", "key"),
	"aws_kms_replica_key":         flat("kms.key", "key"),
	"aws_secretsmanager_secret":   flat("secret", "secret"),
	"aws_cloudwatch_metric_alarm": alarm,
	"aws_cloudwatch_dashboard":    flat("dashboard", "dashboard"),
	"aws_wafv2_web_acl":           firewall,
	"aws_route53_zone":            flat("zone", "hosted zone"),
}

// unpriced are the types, by the beginning of their names, that cost by their configuration and are not in the table.
var unpriced = []string{
	"aws_acmpca_", "aws_docdb_", "aws_dx_", "aws_ebs_volume", "aws_ec2_transit_gateway", "aws_eks_", "aws_elasticache_",
	"aws_elb", "aws_globalaccelerator", "aws_memorydb_", "aws_mq_broker", "aws_msk_", "aws_neptune_", "aws_opensearch_",
	"aws_redshift_", "aws_vpn_",
}

func newCost(all []Change, subnets map[string]int) Cost {
	before, after := stock{}, stock{subnets: subnets}
	for _, c := range all {
		if c.before != nil {
			before.all = append(before.all, resource{c, c.before})
		}
		if c.after != nil && c.Action != Forget {
			after.all = append(after.all, resource{c, c.after})
		}
	}
	var cost Cost
	items := map[string]*Item{}
	var order []string
	tally := func(s stock, to func(*Item) *float64, total *float64) {
		for _, r := range s.all {
			p, ok := s.price(r)
			if !ok {
				continue
			}
			if p.reason != "" {
				if r.Action != keep {
					cost.Unpriced = append(cost.Unpriced, r.Path()+": "+p.reason)
				}
				continue
			}
			p.amount = cents(p.amount)
			*total += p.amount
			item := items[r.Address]
			if item == nil {
				item = &Item{Group: r.Group, Path: r.Path()}
				items[r.Address] = item
				order = append(order, r.Address)
			}
			*to(item), item.What = p.amount, p.what
		}
	}
	tally(before, func(i *Item) *float64 { return &i.Before }, &cost.Before)
	tally(after, func(i *Item) *float64 { return &i.After }, &cost.After)
	cost.Before, cost.After = cents(cost.Before), cents(cost.After)
	for _, address := range order {
		if i := items[address]; i.Before != i.After {
			cost.Items = append(cost.Items, *i)
		}
	}
	slices.SortStableFunc(cost.Items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(cost.Unpriced)
	cost.Unpriced = slices.Compact(cost.Unpriced)
	return cost
}

func (s stock) price(r resource) (price, bool) {
	if row, ok := rows[r.Type]; ok {
		return row(s, r), true
	}
	for _, prefix := range unpriced {
		if strings.HasPrefix(r.Type, prefix) {
			return price{reason: kind(r.Type)}, true
		}
	}
	return price{}, false
}

// beside are the resources of a type in the same construct, or in the same group where it has none there.
func (s stock) beside(r resource, typ string) []resource {
	parent := func(path string) string { return path[:max(strings.LastIndex(path, "/"), 0)] }
	var near, group []resource
	for _, o := range s.all {
		if o.Type != typ {
			continue
		}
		if parent(o.Path()) == parent(r.Path()) {
			near = append(near, o)
		}
		if o.Group == r.Group {
			group = append(group, o)
		}
	}
	if len(near) > 0 {
		return near
	}
	return group
}

func flat(name, what string) func(stock, resource) price {
	return func(stock, resource) price { return price{amount: prices()[name], what: what} }
}

func fargate(s stock, r resource) price {
	fargateShare, spot, ok := capacity(r.values)
	if !ok {
		return price{reason: "its capacity is known only after the apply"}
	}
	if fargateShare == 0 {
		return price{what: "tasks on instances"}
	}
	tasks, ok := number(r.values["desired_count"])
	if target := s.scaling(r); target != nil {
		if least, known := number(target.values["min_capacity"]); known {
			tasks, ok = least, true
		}
	}
	if !ok {
		return price{reason: "how many tasks run is known only after the apply"}
	}
	task := s.task(r)
	if task == nil {
		return price{reason: "its task definition is not in this plan"}
	}
	cpu, ok1 := number(task.values["cpu"])
	memory, ok2 := number(task.values["memory"])
	if !ok1 || !ok2 {
		return price{reason: "its CPU and memory are known only after the apply"}
	}
	arch := "x86_64"
	for _, platform := range asList(task.values["runtime_platform"]) {
		if text(asMap(platform)["cpu_architecture"]) == "ARM64" {
			arch = "arm64"
		}
	}
	one := cpu/1024*prices()["fargate."+arch+".vcpu"] + memory/1024*prices()["fargate."+arch+".gib"]
	share := 1 - spot + spot*prices()["fargate.spot"]
	what := fmt.Sprintf("%g x %g vCPU, %g GiB on Fargate", tasks, cpu/1024, memory/1024)
	if spot > 0 {
		what += fmt.Sprintf(", %g %% Spot", math.Round(spot*100))
	}
	return price{amount: tasks * one * share * fargateShare, what: what}
}

// capacity is the share of a service's tasks that run on Fargate, and of those the share on Spot.
func capacity(v map[string]any) (onFargate, spot float64, known bool) {
	strategy := asList(v["capacity_provider_strategy"])
	if len(strategy) == 0 {
		if _, later := v["capacity_provider_strategy"].(hole); later {
			return 0, 0, false
		}
		if text(v["launch_type"]) == "EC2" {
			return 0, 0, true
		}
		return 1, 0, true
	}
	var total, fargate, cheap float64
	for _, one := range strategy {
		m := asMap(one)
		weight, ok := number(m["weight"])
		if base, _ := number(m["base"]); !ok || weight == 0 {
			weight = base
		}
		total += weight
		switch text(m["capacity_provider"]) {
		case "FARGATE":
			fargate += weight
		case "FARGATE_SPOT":
			fargate, cheap = fargate+weight, cheap+weight
		}
	}
	if total == 0 {
		return 0, 0, false
	}
	if fargate == 0 {
		return 0, 0, true
	}
	return fargate / total, cheap / fargate, true
}

// scaling is the least and most of a service's tasks.
func (s stock) scaling(r resource) *resource {
	for _, o := range s.beside(r, "aws_appautoscaling_target") {
		id := text(o.values["resource_id"])
		if id == "" || strings.HasSuffix(id, "/"+text(r.values["name"])) {
			return &o
		}
	}
	return nil
}

// task is what a service runs: its own construct's, or the one of the family it names.
func (s stock) task(r resource) *resource {
	const typ = "aws_ecs_task_definition"
	if near := s.beside(r, typ); len(near) == 1 {
		return &near[0]
	}
	arn := text(r.values["task_definition"])
	for _, o := range s.all {
		if family := text(o.values["family"]); o.Type == typ && family != "" && strings.Contains(arn+":", "/"+family+":") {
			return &o
		}
	}
	return nil
}

func instances(_ stock, r resource) price {
	least, ok := number(r.values["min_size"])
	typ := ""
	for _, policy := range asList(r.values["mixed_instances_policy"]) {
		for _, template := range asList(asMap(policy)["launch_template"]) {
			for _, override := range asList(asMap(template)["override"]) {
				if typ == "" {
					typ = text(asMap(override)["instance_type"])
				}
			}
		}
	}
	one, known := sized("ec2." + typ)
	if !ok || !known {
		return price{reason: fmt.Sprintf("instances of type %q", typ)}
	}
	return price{amount: least * one, what: fmt.Sprintf("%g x %s on demand", least, typ)}
}

func instance(_ stock, r resource) price {
	typ := show(r.values["instance_type"])
	one, ok := sized("ec2." + typ)
	if !ok {
		return price{reason: fmt.Sprintf("an instance of type %q", typ)}
	}
	return price{amount: one, what: typ}
}

func balancer(_ stock, r resource) price {
	if typ := text(r.values["load_balancer_type"]); typ != "" && typ != "application" && typ != "network" {
		return price{reason: "a load balancer of type " + typ}
	}
	return price{amount: prices()["lb"], what: "load balancer"}
}

func endpoint(s stock, r resource) price {
	switch text(r.values["vpc_endpoint_type"]) {
	case "Interface":
	case "Gateway", "":
		return price{what: "gateway endpoint"}
	default:
		return price{reason: "an endpoint of type " + show(r.values["vpc_endpoint_type"])}
	}
	zones := len(asList(r.values["subnet_ids"]))
	if r.values["subnet_ids"] == hole(unknown) {
		zones = s.subnets[r.Address]
	}
	if zones == 0 {
		return price{reason: "the zones of the endpoint are known only after the apply"}
	}
	return price{amount: float64(zones) * prices()["endpoint"], what: fmt.Sprintf("interface endpoint in %d zones", zones)}
}

func database(s stock, r resource) price {
	class := show(r.values["instance_class"])
	one, ok := sized("rds." + class)
	if engine := text(r.values["engine"]); !ok || engine != "" && engine != "postgres" {
		return price{reason: fmt.Sprintf("%s on %s", show(r.values["engine"]), class)}
	}
	storage, known := number(r.values["allocated_storage"])
	if !empty(r.values["replicate_source_db"]) && !known {
		// A replica has as much as what it replicates.
		for _, source := range s.beside(r, r.Type) {
			if gib, ok := number(source.values["allocated_storage"]); ok {
				storage, known = max(storage, gib), true
			}
		}
	}
	if !known || text(r.values["storage_type"]) != "gp3" {
		return price{reason: fmt.Sprintf("storage of %s", class)}
	}
	zones, what := 1.0, "one zone"
	if r.values["multi_az"] == true {
		zones, what = 2, "with a standby"
	}
	return price{
		amount: zones * (one + storage*prices()["rds.gp3"]),
		what:   fmt.Sprintf("%s, %g GiB gp3, %s", class, storage, what),
	}
}

func aurora(s stock, r resource) price {
	serverless := asList(r.values["serverlessv2_scaling_configuration"])
	if len(serverless) == 0 {
		return price{what: "Aurora cluster"}
	}
	least, ok := number(asMap(serverless[0])["min_capacity"])
	if !ok {
		return price{reason: "the capacity of the cluster is known only after the apply"}
	}
	n := 0
	for _, o := range s.beside(r, "aws_rds_cluster_instance") {
		if text(o.values["instance_class"]) == "db.serverless" {
			n++
		}
	}
	return price{
		amount: float64(n) * least * prices()["aurora.acu"],
		what:   fmt.Sprintf("Aurora, %d x %g capacity units at least", n, least),
	}
}

func auroraInstance(_ stock, r resource) price {
	if class := show(r.values["instance_class"]); class != "db.serverless" {
		return price{reason: "Aurora on " + class}
	}
	return price{what: "Aurora instance"}
}

// proxy costs by its database's CPUs, and by two at least. Every class up to large has two.
func proxy(s stock, r resource) price {
	cpus := 0.0
	for _, db := range s.beside(r, "aws_db_instance") {
		class := text(db.values["instance_class"])
		size := class[strings.LastIndex(class, ".")+1:]
		n, ok := larger[size]
		if !ok {
			n = 1
		}
		if strings.HasPrefix(class, "db.") && text(db.values["replicate_source_db"]) == "" {
			cpus = max(cpus, 2*n)
		}
	}
	if cpus == 0 {
		return price{reason: "the CPUs of the proxy's database"}
	}
	return price{amount: cpus * prices()["rds.proxy.vcpu"], what: fmt.Sprintf("proxy for %g vCPU", cpus)}
}

func alarm(_ stock, r resource) price {
	metrics, name := 0.0, "alarm.metric"
	fast := func(v any) {
		if period, ok := number(v); ok && period < 60 {
			name = "alarm.metric.fast"
		}
	}
	for _, query := range asList(r.values["metric_query"]) {
		for _, metric := range asList(asMap(query)["metric"]) {
			metrics++
			fast(asMap(metric)["period"])
		}
	}
	fast(r.values["period"])
	return price{amount: max(metrics, 1) * prices()[name], what: "alarm"}
}

func firewall(_ stock, r resource) price {
	n := len(asList(r.values["rule"]))
	return price{amount: prices()["waf.acl"] + float64(n)*prices()["waf.rule"], what: fmt.Sprintf("firewall with %d rules", n)}
}
