package live_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/delivery"
	"aws-microservices/internal/github"
	"aws-microservices/internal/pipeline"
	"aws-microservices/internal/sdk"
)

// githubRun is a GitHub with one run, whose second attempt ran two jobs anew.
func githubRun(began time.Time) github.GH {
	stamp := func(seconds int) string { return began.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339) }
	job := func(id int, name, status, conclusion string, attempt, from, to int) string {
		return fmt.Sprintf(`{"id": %d, "name": %q, "status": %q, "conclusion": %q, "run_attempt": %d, "started_at": %q, "completed_at": %q}`,
			id, name, status, conclusion, attempt, stamp(from), stamp(to))
	}
	answers := map[string]string{
		"repos/example-org/shop/actions/runs/7/attempts/2/jobs?per_page=100": `{"jobs": [` +
			job(1, "lint", "completed", "success", 1, 0, 5) + "," +
			job(2, "test", "completed", "success", 2, 0, 60) + "]}" + `{"jobs": [` +
			job(3, "dev / release (orders)", "completed", "failure", 2, 60, 90) + "," +
			job(4, "prod / release (orders)", "completed", "skipped", 2, 90, 90) + "," +
			job(5, "report", "in_progress", "", 2, 90, 90) + "]}",
		"repos/example-org/shop/actions/jobs/2/logs": stamp(1) + " ok\n" + stamp(59) + " all ok\n",
	}
	return func(_ context.Context, _ []byte, args ...string) ([]byte, error) {
		if answer, known := answers[args[len(args)-1]]; known {
			return []byte(answer), nil
		}
		return nil, github.StatusError{Code: 410, Message: "gh: Gone (HTTP 410)"}
	}
}

func TestARunIsReportedOnce(t *testing.T) {
	begin(t)
	w, err := operateWorld()
	must(t, err)
	cfg, err := sdk.Load(t.Context(), region, loggedIn(w.emulator.URL(), sharedAccount)...)
	must(t, err)
	logs := cloudwatchlogs.NewFromConfig(cfg)
	began := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	reporter := pipeline.Reporter{GitHub: githubRun(began), AWS: cfg, Out: newLines()}
	run := pipeline.Run{Repository: "example-org/shop", Workflow: "backend", ID: 7, Attempt: 2}

	group := aws.String("/ci/backend")
	other := run
	other.Workflow = "nothing"
	mustSay(t, reporter.Report(t.Context(), other), "there is no log group /ci/nothing", "make deploy ENV=shared")

	_, err = logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(t, err)
	must(t, reporter.Report(t.Context(), run))
	must(t, reporter.Report(t.Context(), run))

	streams, err := logs.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group})
	must(t, err)
	got := map[string][]string{}
	for _, s := range streams.LogStreams {
		page, err := logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: group, LogStreamName: s.LogStreamName, StartFromHead: aws.Bool(true),
		})
		must(t, err)
		for _, e := range page.Events {
			line := fmt.Sprintf("%ds %s", (*e.Timestamp-began.UnixMilli())/1000, *e.Message)
			got[*s.LogStreamName] = append(got[*s.LogStreamName], line)
		}
	}
	want := map[string][]string{
		"7/2/test":                   {"1s ok", "59s all ok"},
		"7/2/dev / release (orders)": {"60s GitHub gives no log of this job: gh: Gone (HTTP 410)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the streams (-want +got)\n%s", diff)
	}

	for name, want := range map[string]string{
		"Runs backend": "1 of 1", "Failures backend": "1 of 1", "DurationSeconds backend": "90 of 1",
		"Failures backend test": "0 of 1", "DurationSeconds backend dev / release (orders)": "30 of 1",
		"Runs backend lint": "none", "Runs backend prod / release (orders)": "none", "Runs backend report": "none",
	} {
		metric, rest, _ := strings.Cut(name, " ")
		workflow, job, hasJob := strings.Cut(rest, " ")
		dimensions := []types.Dimension{{Name: aws.String("Workflow"), Value: &workflow}}
		if hasJob {
			dimensions = append(dimensions, types.Dimension{Name: aws.String("Job"), Value: &job})
		}
		seen, err := cloudwatch.NewFromConfig(cfg).GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String(delivery.Namespace), MetricName: &metric, Dimensions: dimensions, Period: aws.Int32(86400),
			StartTime: aws.Time(began.Add(-time.Hour)), EndTime: aws.Time(began.Add(2 * time.Hour)),
			Statistics: []types.Statistic{types.StatisticSum, types.StatisticSampleCount},
		})
		must(t, err)
		got := "none"
		if len(seen.Datapoints) > 0 {
			sum, count := 0.0, 0.0
			for _, point := range seen.Datapoints {
				sum, count = sum+*point.Sum, count+*point.SampleCount
			}
			got = fmt.Sprintf("%g of %g", sum, count)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
