// Package pipeline tells CloudWatch what became of a run of a workflow: its metrics, and the log of every job.
//
//	GitHub: the jobs of a run, their logs -> CloudWatch: namespace CI/CD, log group /ci/<workflow>
//
// A job belongs to the attempt that ran it, and its log stream is made once, <run>/<attempt>/<job>. What has a stream was
// reported, so a report that is made again adds nothing.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"aws-microservices/internal/github"
)

// Run is one attempt of a run of a workflow.
type Run struct {
	// Repository is the owner and the name, e.g. "example-org/shop".
	Repository string
	// Workflow is its name, e.g. "backend", and that of its log group.
	Workflow string
	// ID is GitHub's number of the run, and Attempt which of its attempts it is, from 1.
	ID, Attempt int
}

// job is one that GitHub ran, as its API tells it.
type job struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	RunAttempt  int       `json:"run_attempt"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
}

// failed tells whether the job ended badly.
func (j job) failed() bool { return j.Conclusion == "failure" || j.Conclusion == "timed_out" }

// decided tells whether the job's end says anything about what it checked: one that somebody, or a newer run, cancelled does not.
func (j job) decided() bool { return j.Conclusion != "cancelled" }

// Reporter reports runs.
type Reporter struct {
	GitHub github.GH
	// AWS is the shared account.
	AWS aws.Config
	// Out receives a line for each job.
	Out io.Writer
}

// Report sends the metrics and the logs of the jobs that have ended. What cannot be sent does not keep the rest from being sent.
func (r Reporter) Report(ctx context.Context, run Run) error {
	all, err := r.ended(ctx, run)
	if err != nil {
		return err
	}
	var errs []error
	var fresh []job
	for _, j := range all {
		isNew, err := r.log(ctx, run, j)
		if err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", j.Name, err))
		}
		if isNew {
			fresh = append(fresh, j)
		}
	}
	if len(fresh) > 0 {
		errs = append(errs, r.measure(ctx, metrics(run.Workflow, fresh)))
	}
	return errors.Join(errs...)
}

// ended are the jobs that this attempt ran to their end, without the one that reports and those that were skipped.
func (r Reporter) ended(ctx context.Context, run Run) ([]job, error) {
	pages, err := github.Pages[struct{ Jobs []job }](ctx, r.GitHub,
		fmt.Sprintf("repos/%s/actions/runs/%d/attempts/%d/jobs?per_page=100", run.Repository, run.ID, run.Attempt))
	if err != nil {
		return nil, err
	}
	var all []job
	for _, page := range pages {
		for _, j := range page.Jobs {
			// A job that is not run again is in the list of the next attempt, too.
			if j.Status == "completed" && j.Conclusion != "skipped" && j.RunAttempt == run.Attempt {
				all = append(all, j)
			}
		}
	}
	return all, nil
}

// log sends the log of a job, unless it was sent.
func (r Reporter) log(ctx context.Context, run Run, j job) (isNew bool, err error) {
	client := cloudwatchlogs.NewFromConfig(r.AWS)
	group, stream := "/ci/"+run.Workflow, fmt.Sprintf("%d/%d/%s", run.ID, run.Attempt, plain(j.Name))
	_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	if there := new(types.ResourceAlreadyExistsException); errors.As(err, &there) {
		fmt.Fprintf(r.Out, "%s: %s was reported before\n", group, j.Name)
		return false, nil
	}
	if none := new(types.ResourceNotFoundException); errors.As(err, &none) {
		return true, fmt.Errorf("there is no log group %s: stack shared makes it, make deploy ENV=shared", group)
	}
	if err != nil {
		return true, err
	}
	text, err := r.text(ctx, run, j)
	if err != nil {
		text = fmt.Sprintf("GitHub gives no log of this job: %v", err)
	}
	events := events(text, j.StartedAt)
	fmt.Fprintf(r.Out, "%s: %s: %s, %d lines\n", group, j.Name, j.Conclusion, len(events))
	for _, batch := range batches(events) {
		sent, err := client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: batch})
		if err != nil {
			return true, err
		}
		if sent.RejectedLogEventsInfo != nil {
			return true, fmt.Errorf("CloudWatch refused some of %d lines for their time: retention of %s, or the runner's clock", len(batch), group)
		}
	}
	return true, nil
}

// text is the job's log. GitHub has it some seconds after the end of the job.
func (r Reporter) text(ctx context.Context, run Run, j job) (string, error) {
	const tries, pause = 4, 3 * time.Second
	for n := 1; ; n++ {
		out, err := r.GitHub(ctx, nil, "api", fmt.Sprintf("repos/%s/actions/jobs/%d/logs", run.Repository, j.ID))
		if err == nil {
			return string(out), nil
		}
		if n == tries || !github.NotFound(err) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// measure sends metrics, as many at once as CloudWatch takes.
func (r Reporter) measure(ctx context.Context, data []datum) error {
	const most = 1000 // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
	client := cloudwatch.NewFromConfig(r.AWS)
	for batch := range slices.Chunk(data, most) {
		_, err := client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String(namespace), MetricData: batch})
		if err != nil {
			return err
		}
	}
	return nil
}

// plain is a job's name in the characters that both a log stream's name and a metric's dimension may have.
func plain(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == ':' || c == '*' {
			return '-'
		}
		return c
	}, name)
}
