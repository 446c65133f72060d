//go:build pipelines

package pipelines_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"aws-microservices/constructs/delivery"
	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// shared are the SDK's settings for the account that the pipelines report to.
func (w *world) shared(t *testing.T) aws.Config {
	t.Helper()
	cfg, err := sdk.Load(t.Context(), stacks.All.Shared.Region, w.Operator()...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Reported fails unless the run's job is in the metrics as it ended, and its log says the text.
func (r Result) Reported(t *testing.T, w *world, workflow, job string, failures float64, text string) {
	t.Helper()
	by := map[string]string{"Workflow": workflow, "Job": job}
	if got := w.measured(t, "Failures", types.StatisticMaximum, by); got != failures {
		t.Errorf("the failures of %v are %v, want %v", by, got, failures)
	}
	stream := fmt.Sprintf("%d/1/%s", r.ID, job)
	seen, err := cloudwatchlogs.NewFromConfig(w.shared(t)).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String("/ci/" + workflow), LogStreamName: &stream, StartFromHead: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range seen.Events {
		if strings.Contains(*event.Message, text) {
			return
		}
	}
	t.Errorf("/ci/%s, %s: %d lines, and none says %q", workflow, stream, len(seen.Events), text)
}

// measured is the smallest or the largest value of a metric of delivery in this hour.
func (w *world) measured(t *testing.T, metric string, statistic types.Statistic, by map[string]string) float64 {
	t.Helper()
	var dimensions []types.Dimension
	for name, value := range by {
		dimensions = append(dimensions, types.Dimension{Name: &name, Value: &value})
	}
	now := time.Now()
	seen, err := cloudwatch.NewFromConfig(w.shared(t)).GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String(delivery.Namespace), MetricName: &metric, Dimensions: dimensions,
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)), Period: aws.Int32(7200),
		Statistics: []types.Statistic{statistic},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Datapoints) == 0 {
		t.Fatalf("there is no %s of %v", metric, by)
	}
	if statistic == types.StatisticMinimum {
		return *seen.Datapoints[0].Minimum
	}
	return *seen.Datapoints[0].Maximum
}
