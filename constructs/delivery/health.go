package delivery

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/monitoring"
)

// Namespace is where the metrics of pipelines and releases are.
const Namespace = "CI/CD"

// logGroups begins the names of the pipelines' log groups.
const logGroups = "/ci/"

// workflows are those whose jobs report, each to a log group of its own.
var workflows = []string{"backend", "drift", "frontend", "infrastructure", "security"}

// logs makes the log group of each workflow.
func (d *Delivery) logs() {
	groups := constructs.NewConstruct(d.scope, jsii.String("logs"))
	for _, name := range workflows {
		logging.NewGroup(groups, name, logging.GroupProps{Name: logGroups + name, RetentionDays: d.LogRetentionDays, Key: d.Key})
	}
}

const (
	hour = 3600
	day  = 24 * hour
)

// Graphs are the four measures of delivery, of production and of all environments together, and how the pipelines are.
// https://dora.dev/guides/dora-metrics/
func (d *Delivery) Graphs() []monitoring.Graph {
	return []monitoring.Graph{
		{Title: "Deployment frequency, a day", PeriodSeconds: day, Metrics: d.delivered("DeploymentStatus", "Sum")},
		{Title: "Lead time for changes, seconds", PeriodSeconds: day, Metrics: d.delivered("LeadTimeSeconds", "p50")},
		{Title: "Change failure rate, %", PeriodSeconds: day, Metrics: d.failureRate()},
		{Title: "Time to restore, seconds", PeriodSeconds: day, Metrics: d.delivered("RestoreSeconds", "p50")},
		{Title: "Rollbacks", PeriodSeconds: day, Metrics: d.delivered("Rollbacks", "Sum")},
		{Title: "A deployment takes, seconds", PeriodSeconds: day, Metrics: d.delivered("DeploymentSeconds", "p90")},
		{Title: "Runs", PeriodSeconds: hour, Metrics: byWorkflow("Runs", "Sum")},
		{Title: "Failures", PeriodSeconds: hour, Metrics: byWorkflow("Failures", "Sum")},
		{Title: "A run takes, seconds", PeriodSeconds: hour, Metrics: byWorkflow("DurationSeconds", "p90")},
	}
}

// scopes are what is measured: each environment that customers use, and all of them.
func (d *Delivery) scopes() []monitoring.Metric {
	var all []monitoring.Metric
	for _, e := range d.Environments {
		if e.Production {
			all = append(all, monitoring.Metric{Label: e.Name, Dimensions: map[string]string{"Environment": e.Name}})
		}
	}
	return append(all, monitoring.Metric{Label: "all"})
}

// delivered is a metric of releases in each scope.
func (d *Delivery) delivered(name, statistic string) []monitoring.Metric {
	metrics := d.scopes()
	for i := range metrics {
		metrics[i].Namespace, metrics[i].Name, metrics[i].Statistic = Namespace, name, statistic
	}
	return metrics
}

// failureRate is how many of a hundred releases did not come to serve: of those that did, the status is 1.
func (d *Delivery) failureRate() []monitoring.Metric {
	var metrics []monitoring.Metric
	for i, served := range d.delivered("DeploymentStatus", "Average") {
		served.ID = fmt.Sprintf("served%d", i)
		metrics = append(metrics, served, monitoring.Metric{Label: served.Label, Expression: "100 * (1 - " + served.ID + ")"})
	}
	return metrics
}

func byWorkflow(name, statistic string) []monitoring.Metric {
	var metrics []monitoring.Metric
	for _, w := range workflows {
		metrics = append(metrics, monitoring.Metric{
			Namespace: Namespace, Name: name, Statistic: statistic, Label: w, Dimensions: map[string]string{"Workflow": w},
		})
	}
	return metrics
}

// Alarms are the pipelines': production did not get what it was to get.
func (d *Delivery) Alarms() []monitoring.Alarm {
	var alarms []monitoring.Alarm
	for _, e := range d.Environments {
		if e.Production {
			alarms = append(alarms, monitoring.Alarm{
				ID: e.Name + "-release-failed",
				Description: "A release to " + e.Name + " failed or was rolled back, and what ran before serves: " +
					"./deploy.sh status " + e.Name + " and the log group /ci/backend say why",
				Metric: monitoring.Metric{
					Namespace: Namespace, Name: "DeploymentStatus", Statistic: "Minimum", Dimensions: map[string]string{"Environment": e.Name},
				},
				Comparison: monitoring.Below, Threshold: 1, Periods: 1,
			})
		}
	}
	return alarms
}
