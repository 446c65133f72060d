package pipeline

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// namespace is delivery.Namespace, written once more so that a report is built without the bindings of the CDK.
const namespace = "CI/CD"

type datum = types.MetricDatum

// metrics are Runs, Failures and DurationSeconds of each job and of the whole workflow. Nothing is said of a job that was
// cancelled, nor of a workflow of which one was, unless another failed.
func metrics(workflow string, jobs []job) []datum {
	var data []datum
	add := func(failed bool, took time.Duration, at time.Time, dimensions ...types.Dimension) {
		failures := 0.0
		if failed {
			failures = 1
		}
		for _, m := range []struct {
			name  string
			value float64
			unit  types.StandardUnit
		}{
			{"Runs", 1, types.StandardUnitCount},
			{"Failures", failures, types.StandardUnitCount},
			{"DurationSeconds", took.Seconds(), types.StandardUnitSeconds},
		} {
			data = append(data, datum{
				MetricName: aws.String(m.name), Value: aws.Float64(m.value), Unit: m.unit, Timestamp: aws.Time(at), Dimensions: dimensions,
			})
		}
	}
	dimension := func(name, value string) types.Dimension {
		return types.Dimension{Name: aws.String(name), Value: aws.String(value)}
	}
	of := dimension("Workflow", workflow)
	failed, decided := false, true
	var end time.Time
	for _, j := range jobs {
		failed = failed || j.failed()
		decided = decided && j.decided()
		if j.CompletedAt.After(end) {
			end = j.CompletedAt
		}
		if j.decided() {
			add(j.failed(), j.CompletedAt.Sub(j.StartedAt), j.CompletedAt, of, dimension("Job", plain(j.Name)))
		}
	}
	if failed || decided {
		add(failed, busy(jobs), end, of)
	}
	return data
}

// busy is how long at least one of the jobs ran: the time in which all of them wait, for an approval or for a runner, is not the
// pipeline's.
func busy(jobs []job) time.Duration {
	var sum time.Duration
	var until time.Time
	for _, j := range slices.SortedFunc(slices.Values(jobs), func(a, b job) int { return a.StartedAt.Compare(b.StartedAt) }) {
		from := j.StartedAt
		if from.Before(until) {
			from = until
		}
		if j.CompletedAt.After(from) {
			sum += j.CompletedAt.Sub(from)
			until = j.CompletedAt
		}
	}
	return sum
}
