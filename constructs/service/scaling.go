package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingtarget"

	"aws-microservices/constructs/monitoring"
)

// cpuTargetPercent leaves room for what arrives while new tasks start.
const cpuTargetPercent = 60

// scaling keeps the tasks' average CPU at the target.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
func (s *Service) scaling(scope constructs.Construct) {
	p := s.props
	target := appautoscalingtarget.NewAppautoscalingTarget(scope, jsii.String("scaling-target"), &appautoscalingtarget.AppautoscalingTargetConfig{
		ServiceNamespace:  jsii.String("ecs"),
		ScalableDimension: jsii.String("ecs:service:DesiredCount"),
		ResourceId:        jsii.String(fmt.Sprintf("service/%s/%s", *p.Cluster.Name, *s.Resource.Name())),
		MinCapacity:       jsii.Number(p.MinTasks),
		MaxCapacity:       jsii.Number(p.MaxTasks),
	})
	appautoscalingpolicy.NewAppautoscalingPolicy(scope, jsii.String("scaling-cpu"), &appautoscalingpolicy.AppautoscalingPolicyConfig{
		Name:              jsii.String("cpu"),
		PolicyType:        jsii.String("TargetTrackingScaling"),
		ServiceNamespace:  target.ServiceNamespace(),
		ScalableDimension: target.ScalableDimension(),
		ResourceId:        target.ResourceId(),
		TargetTrackingScalingPolicyConfiguration: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration{
			TargetValue:      jsii.Number(cpuTargetPercent),
			ScaleOutCooldown: jsii.Number(60),
			ScaleInCooldown:  jsii.Number(300),
			PredefinedMetricSpecification: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification{
				PredefinedMetricType: jsii.String("ECSServiceAverageCPUUtilization"),
			},
		},
	})
}

// Alarms are the service's: it is missing, out of room, or failing.
func (s *Service) Alarms() []monitoring.Alarm {
	p := s.props
	if p.Kind == Job {
		return nil
	}
	alarms := []monitoring.Alarm{
		{
			ID:          p.Name + "-tasks",
			Description: "Fewer tasks of " + p.Name + " run than the least it needs: look at the service's events and at /ecs/" + p.Name,
			Metric:      s.metric("ECS/ContainerInsights", "RunningTaskCount", "Minimum"),
			Comparison:  monitoring.Below, Threshold: float64(p.MinTasks), MissingIsBad: true,
		},
		{
			ID:          p.Name + "-cpu",
			Description: p.Name + " stays above 90 % CPU: it has reached its largest number of tasks, or cannot scale",
			Metric:      s.metric("AWS/ECS", "CPUUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 90, Periods: 15,
		},
		{
			ID:          p.Name + "-memory",
			Description: p.Name + " is close to its memory limit, where its tasks are killed: look for a leak or give it more",
			Metric:      s.metric("AWS/ECS", "MemoryUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 90,
		},
	}
	if p.Kind == Web {
		alarms = append(alarms, monitoring.Alarm{
			ID:          p.Name + "-5xx",
			Description: p.Name + " answers with errors: read /ecs/" + p.Name,
			Metric:      s.targetMetric("HTTPCode_Target_5XX_Count", "Sum"),
			Comparison:  monitoring.Above, Threshold: 10,
		}, monitoring.Alarm{
			ID:          p.Name + "-unhealthy",
			Description: "The load balancer finds tasks of " + p.Name + " unhealthy at " + p.HealthPath,
			Metric:      s.targetMetric("UnHealthyHostCount", "Maximum"),
			Comparison:  monitoring.Above, Threshold: 0,
		})
	}
	return alarms
}

// Graphs are the service's part of the dashboard.
func (s *Service) Graphs() []monitoring.Graph {
	if s.props.Kind == Job {
		return nil
	}
	return []monitoring.Graph{{
		Title: "Service " + s.props.Name + ": % of CPU and memory",
		Metrics: []monitoring.Metric{
			s.metric("AWS/ECS", "CPUUtilization", "Average"), s.metric("AWS/ECS", "MemoryUtilization", "Average"),
		},
	}, {
		Title:   "Service " + s.props.Name + ": tasks",
		Metrics: []monitoring.Metric{s.metric("ECS/ContainerInsights", "RunningTaskCount", "Average")},
	}}
}

func (s *Service) metric(namespace, name, statistic string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: namespace, Name: name, Statistic: statistic,
		Dimensions: map[string]string{"ClusterName": *s.props.Cluster.Name, "ServiceName": s.props.Name},
	}
}

func (s *Service) targetMetric(name, statistic string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/ApplicationELB", Name: name, Statistic: statistic,
		Dimensions: map[string]string{
			"LoadBalancer": *s.props.Ingress.LoadBalancer.ArnSuffix(), "TargetGroup": *s.TargetGroup.ArnSuffix(),
		},
	}
}
