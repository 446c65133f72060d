package cluster

import (
	"fmt"

	"aws-microservices/constructs/monitoring"
)

// Alarms are the cluster's: its tasks find no room, or soon will not. None on Fargate, where room is AWS's to find.
func (c *Cluster) Alarms() []monitoring.Alarm {
	e := c.Capacity.EC2
	if e == nil {
		return nil
	}
	alarms := []monitoring.Alarm{{
		ID: "cluster-room",
		Description: fmt.Sprintf("Tasks have waited a quarter of an hour for room on the instances of %s: look at the activity of "+
			"Auto Scaling group %[1]s-ec2 for launches that fail, and raise MaxInstances where they are all running", c.name),
		Metric:     c.reservation(),
		Comparison: monitoring.Above, Threshold: 100, Periods: 15,
	}}
	if e.MinInstances < e.MaxInstances { // else there is nothing to warn of: it is never less
		alarms = append(alarms, monitoring.Alarm{
			ID: "cluster-instances",
			Description: fmt.Sprintf("All %d instances that %s may have are running: when these are full, tasks wait. Raise MaxInstances",
				e.MaxInstances, c.name),
			Metric:     c.group("GroupInServiceInstances"),
			Comparison: monitoring.Above, Threshold: float64(e.MaxInstances) - 1, Periods: 15,
		})
	}
	return alarms
}

// Graphs are the cluster's. None on Fargate.
func (c *Cluster) Graphs() []monitoring.Graph {
	if c.Capacity.EC2 == nil {
		return nil
	}
	return []monitoring.Graph{
		{Title: "Instances", Metrics: []monitoring.Metric{c.group("GroupInServiceInstances"), c.group("GroupDesiredCapacity")}},
		{Title: "Room on the instances (%)", Metrics: []monitoring.Metric{
			c.metric("CPUReservation"), c.metric("MemoryReservation"), c.reservation(),
		}},
	}
}

// reservation is the instances that are needed in percent of those there are: above 100, more are needed.
// https://aws.amazon.com/blogs/containers/deep-dive-on-amazon-ecs-cluster-auto-scaling/
func (c *Cluster) reservation() monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/ECS/ManagedScaling", Name: "CapacityProviderReservation", Statistic: "Average",
		Dimensions: map[string]string{"ClusterName": c.name, "CapacityProviderName": providerName(c.name)},
	}
}

func (c *Cluster) group(name string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/AutoScaling", Name: name, Statistic: "Average",
		Dimensions: map[string]string{"AutoScalingGroupName": c.name + "-ec2"},
	}
}

func (c *Cluster) metric(name string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/ECS", Name: name, Statistic: "Average", Dimensions: map[string]string{"ClusterName": c.name},
	}
}
