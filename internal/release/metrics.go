package release

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"aws-microservices/constructs/delivery"
)

// data are the metrics, each for its service, for the environment and for all of them: an alarm cannot add services up.
func (m measures) data(environment, service string) []types.MetricDatum {
	number := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	rows := []struct {
		name  string
		value float64
		unit  types.StandardUnit
		known bool
	}{
		{"DeploymentStatus", number(m.Serves), types.StandardUnitCount, true},
		{"DeploymentSeconds", m.Seconds, types.StandardUnitSeconds, true},
		{"Rollbacks", number(m.RolledBack), types.StandardUnitCount, true},
		{"LeadTimeSeconds", m.LeadSeconds, types.StandardUnitSeconds, m.LeadSeconds > 0},
		{"RestoreSeconds", m.RestoreSeconds, types.StandardUnitSeconds, m.RestoreSeconds > 0},
	}
	dimensions := []types.Dimension{
		{Name: aws.String("Environment"), Value: &environment},
		{Name: aws.String("Service"), Value: &service},
	}
	var data []types.MetricDatum
	for _, row := range rows {
		if !row.known {
			continue
		}
		datum := types.MetricDatum{MetricName: aws.String(row.name), Value: aws.Float64(row.value), Unit: row.unit}
		for n := range len(dimensions) + 1 {
			datum.Dimensions = dimensions[:n]
			data = append(data, datum)
		}
	}
	return data
}

// recovery is how long a failure lasted that ends now, at the last entry of the ledger: from the entry of the release that failed,
// or that somebody went back from. What ends it is the first thing that serves again, which is what ran before, whoever went back
// to it. Only where nothing did, and the service was down, it is the next release. Zero is no failure.
func recovery(history []Entry, down bool, now time.Time) time.Duration {
	n := len(history)
	if down && n > 0 && history[n-1].RolledBack == "" {
		n--
	}
	if n == 0 || history[n-1].RolledBack == "" {
		return 0
	}
	failed := labelled(history[:n-1], history[n-1].RolledBack)
	if failed.At.IsZero() {
		return 0 // SSM has forgotten it
	}
	return now.Sub(failed.At)
}

// measure sends the metrics to the shared account, where one dashboard shows those of all environments.
func (c *cloud) measure(ctx context.Context, m measures) error {
	_, err := cloudwatch.NewFromConfig(c.target.Shared).PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(delivery.Namespace), MetricData: m.data(c.target.Name, c.service.Name),
	})
	return err
}
