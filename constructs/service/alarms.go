package service

import "aws-microservices/constructs/monitoring"

// Alarms are the service's: it is missing, out of room, slow or failing, and what comes with its links.
func (s *Service) Alarms() []monitoring.Alarm {
	p := s.props
	var alarms []monitoring.Alarm
	for _, l := range p.Links {
		alarms = append(alarms, l.Alarms...)
	}
	switch p.Kind {
	case Job:
		return append(alarms, s.jobAlarm())
	case Task: // whoever runs it waits for its end
		return alarms
	}
	alarms = append(alarms,
		monitoring.Alarm{
			ID: p.Name + "-tasks",
			Description: "Fewer tasks of " + p.Name + " run than should, for a quarter of an hour: look at the service's events and at /ecs/" +
				p.Name,
			// Not the least number of tasks: it is zero while the environment sleeps.
			Expression: "desired - FILL(running, 0)",
			Metrics: map[string]monitoring.Metric{
				"desired": s.metric("ECS/ContainerInsights", "DesiredTaskCount", "Maximum"),
				"running": s.metric("ECS/ContainerInsights", "RunningTaskCount", "Minimum"),
			},
			// A service that sleeps reports nothing.
			Comparison: monitoring.Above, Threshold: 0, Periods: 15, MissingIsBad: p.Sleep == nil,
		},
		monitoring.Alarm{
			ID:          p.Name + "-cpu",
			Description: p.Name + " stays above 90 % CPU: it has reached its largest number of tasks, or cannot scale",
			Metric:      s.metric("AWS/ECS", "CPUUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 90, Periods: 15,
		},
		monitoring.Alarm{
			ID:          p.Name + "-memory",
			Description: p.Name + " is close to its memory limit, where its tasks are killed: look for a leak or give it more",
			Metric:      s.metric("AWS/ECS", "MemoryUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 90,
		},
	)
	if p.Kind == Web {
		alarms = append(alarms, s.webAlarms()...)
	}
	return alarms
}

// webAlarms are what viewers would notice: each rolls a deployment back.
func (s *Service) webAlarms() []monitoring.Alarm {
	p := s.props
	return []monitoring.Alarm{
		{
			ID:          p.Name + "-5xx",
			Description: p.Name + " answers with errors: read /ecs/" + p.Name,
			Metric:      s.targetMetric("HTTPCode_Target_5XX_Count", "Sum"),
			Comparison:  monitoring.Above, Threshold: 10, RollsBack: p.Name,
		},
		{
			ID:          p.Name + "-latency",
			Description: p.Name + " answers one request in a hundred too slowly: look at its CPU, its database and what it calls",
			Metric:      s.targetMetric("TargetResponseTime", "p99"),
			Comparison:  monitoring.Above, Threshold: float64(p.Requests.SlowMillis) / 1000, RollsBack: p.Name,
		},
		{
			ID:          p.Name + "-unhealthy",
			Description: "The load balancer finds tasks of " + p.Name + " unhealthy at " + p.Requests.HealthPath,
			Metric:      s.targetMetric("UnHealthyHostCount", "Maximum"),
			Comparison:  monitoring.Above, Threshold: 0, RollsBack: p.Name,
		},
	}
}

// Graphs are the service's part of the dashboard.
func (s *Service) Graphs() []monitoring.Graph {
	if !s.props.Kind.LongRunning() {
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
