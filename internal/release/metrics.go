package release

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// The metrics of delivery, which the dashboard of the pipelines shows.
const namespace = "CI/CD"

// data are the metrics, each for its service and once more for all of them.
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
		data = append(data, datum)
		datum.Dimensions = dimensions
		data = append(data, datum)
	}
	return data
}

func (c *cloud) measure(ctx context.Context, m measures) error {
	_, err := c.cloudwatch.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(namespace), MetricData: m.data(c.target.Name, c.service.Name),
	})
	return err
}
