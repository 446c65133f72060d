package service

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingscheduledaction"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingtarget"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

const (
	// cpuTargetPercent leaves room for what arrives while new tasks start.
	cpuTargetPercent = 60
	// memoryTargetPercent leaves less: memory grows slowly.
	memoryTargetPercent = 75
)

// Scheduled is a time from which other bounds hold, until the next.
type Scheduled struct {
	// Name tells the times apart, e.g. "sale-begins".
	Name string
	// Schedule is an EventBridge expression, e.g. "cron(0 8 ? * FRI *)".
	// https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
	Schedule string
	// TimeZone is what the expression means, e.g. "Europe/Dublin". Defaults to UTC.
	TimeZone string
	// MinTasks and MaxTasks bound the number of tasks from then on.
	MinTasks, MaxTasks int
}

// scales tells whether anything but Terraform changes the number of tasks.
func (p Props) scales() bool {
	return p.MinTasks < p.MaxTasks || p.reschedules()
}

// reschedules tells whether a time of day changes the bounds.
func (p Props) reschedules() bool {
	return p.Sleep != nil || len(p.Scheduled) > 0
}

// policy is one row of target tracking: the metric is kept at the target.
type policy struct {
	name, metric, label string
	target              int
}

// scaling lets the number of tasks follow demand and the clock.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
func (s *Service) scaling(scope constructs.Construct) {
	p := s.props
	if !p.scales() {
		return
	}
	config := &appautoscalingtarget.AppautoscalingTargetConfig{
		ServiceNamespace:  jsii.String("ecs"),
		ScalableDimension: jsii.String("ecs:service:DesiredCount"),
		ResourceId:        jsii.String(fmt.Sprintf("service/%s/%s", *p.Cluster.Name, *s.Resource.Name())),
		MinCapacity:       s.onceReleased(p.MinTasks),
		MaxCapacity:       s.onceReleased(p.MaxTasks),
		// Neither demand nor the clock may wake what has no image.
		SuspendedState: &appautoscalingtarget.AppautoscalingTargetSuspendedState{
			DynamicScalingInSuspended: s.Waits, DynamicScalingOutSuspended: s.Waits, ScheduledScalingSuspended: s.Waits,
		},
	}
	if p.reschedules() {
		// The clock owns the bounds: an apply at night must not wake the service. A new bound holds from the next time on.
		config.Lifecycle = &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("min_capacity", "max_capacity")}
	}
	target := appautoscalingtarget.NewAppautoscalingTarget(scope, jsii.String("scaling-target"), config)
	s.clock(scope, target)
	if p.MinTasks == p.MaxTasks {
		return
	}
	if p.Kind == Worker {
		s.followBacklog(scope, target)
		return
	}
	rows := []policy{
		{name: "cpu", metric: "ECSServiceAverageCPUUtilization", target: cpuTargetPercent},
		{name: "memory", metric: "ECSServiceAverageMemoryUtilization", target: memoryTargetPercent},
	}
	if p.Kind == Web && p.Requests.PerMinute > 0 {
		rows = append(rows, policy{
			name: "requests", metric: "ALBRequestCountPerTarget", target: p.Requests.PerMinute,
			label: fmt.Sprintf("%s/%s", *p.Ingress.LoadBalancer.ArnSuffix(), *s.TargetGroup.ArnSuffix()),
		})
	}
	for _, row := range rows {
		metric := &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification{
			PredefinedMetricType: jsii.String(row.metric),
		}
		if row.label != "" {
			metric.ResourceLabel = jsii.String(row.label)
		}
		track(scope, target, row.name, &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration{
			TargetValue:                   jsii.Number(row.target),
			ScaleOutCooldown:              jsii.Number(60),
			ScaleInCooldown:               jsii.Number(300),
			PredefinedMetricSpecification: metric,
		})
	}
}

// track makes a policy that keeps a metric at its target.
func track(scope constructs.Construct, target appautoscalingtarget.AppautoscalingTarget, name string, configuration *appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration) {
	appautoscalingpolicy.NewAppautoscalingPolicy(scope, jsii.String("scaling-"+name), &appautoscalingpolicy.AppautoscalingPolicyConfig{
		Name:                                     &name,
		PolicyType:                               jsii.String("TargetTrackingScaling"),
		ServiceNamespace:                         target.ServiceNamespace(),
		ScalableDimension:                        target.ScalableDimension(),
		ResourceId:                               target.ResourceId(),
		TargetTrackingScalingPolicyConfiguration: configuration,
	})
}

// clock changes the bounds at times of the day.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scheduled-scaling.html
func (s *Service) clock(scope constructs.Construct, target appautoscalingtarget.AppautoscalingTarget) {
	p := s.props
	rows := p.Scheduled
	if p.Sleep != nil {
		rows = append(rows,
			Scheduled{Name: "sleep", Schedule: p.Sleep.Sleep, TimeZone: p.Sleep.TimeZone},
			Scheduled{Name: "wake", Schedule: p.Sleep.Wake, TimeZone: p.Sleep.TimeZone, MinTasks: p.MinTasks, MaxTasks: p.MaxTasks})
	}
	// One after the other: the API refuses concurrent changes of one target's actions.
	var before *[]cdktf.ITerraformDependable
	for _, row := range rows {
		zone := row.TimeZone
		if zone == "" {
			zone = "UTC"
		}
		action := appautoscalingscheduledaction.NewAppautoscalingScheduledAction(scope, jsii.String("scheduled-"+row.Name), &appautoscalingscheduledaction.AppautoscalingScheduledActionConfig{
			Name:              jsii.String(row.Name),
			ServiceNamespace:  target.ServiceNamespace(),
			ScalableDimension: target.ScalableDimension(),
			ResourceId:        target.ResourceId(),
			Schedule:          jsii.String(row.Schedule),
			Timezone:          jsii.String(zone),
			ScalableTargetAction: &appautoscalingscheduledaction.AppautoscalingScheduledActionScalableTargetAction{
				MinCapacity: jsii.String(fmt.Sprint(row.MinTasks)), MaxCapacity: jsii.String(fmt.Sprint(row.MaxTasks)),
			},
			DependsOn: before,
		})
		before = &[]cdktf.ITerraformDependable{action}
	}
}

// followBacklog keeps as many tasks of a Worker as its backlog and what arrives need, by what Backlog computes.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
func (s *Service) followBacklog(scope constructs.Construct, target appautoscalingtarget.AppautoscalingTarget) {
	p := s.props
	var rows []*appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetrics
	metrics := p.Backlog.Metrics()
	for _, id := range slices.Sorted(maps.Keys(metrics)) {
		m := metrics[id]
		dimensions := map[string]string{"QueueName": *p.Queue.Name}
		if m.Namespace != "AWS/SQS" {
			dimensions = map[string]string{"ClusterName": *p.Cluster.Name, "ServiceName": p.Name}
		}
		var pairs []*appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStatMetricDimensions
		for _, name := range slices.Sorted(maps.Keys(dimensions)) {
			pairs = append(pairs, &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStatMetricDimensions{
				Name: jsii.String(name), Value: jsii.String(dimensions[name]),
			})
		}
		rows = append(rows, &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetrics{
			Id: jsii.String(id), ReturnData: jsii.Bool(false),
			MetricStat: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStat{
				Stat: jsii.String(m.Statistic),
				Metric: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricsMetricStatMetric{
					Namespace: jsii.String(m.Namespace), MetricName: jsii.String(m.Name), Dimensions: pairs,
				},
			},
		})
	}
	rows = append(rows, &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetrics{
		Id: jsii.String("backlog"), Label: jsii.String("Share of the desired tasks that is needed"),
		Expression: jsii.String(p.Backlog.Expression()), ReturnData: jsii.Bool(true),
	})
	track(scope, target, "backlog", &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration{
		TargetValue:      jsii.Number(p.Backlog.Target()),
		ScaleOutCooldown: jsii.Number(BacklogScaleOutCooldownSeconds),
		ScaleInCooldown:  jsii.Number(BacklogScaleInCooldownSeconds),
		CustomizedMetricSpecification: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification{
			Metrics: rows,
		},
	})
}
