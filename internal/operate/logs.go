package operate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"aws-microservices/stacks"
)

// Logs prints the log of a service from some time ago, of all its tasks in the order of time. With follow it goes on until
// the context ends, which is no error then.
func (o Operator) Logs(ctx context.Context, environment, service string, since time.Duration, follow bool, out io.Writer) error {
	t, _, err := o.service(ctx, environment, service)
	if err != nil {
		return err
	}
	l := &lines{
		client: cloudwatchlogs.NewFromConfig(t.AWS), group: "/ecs/" + service, out: out,
		from: time.Now().Add(-since).UnixMilli(), seen: map[string]bool{},
	}
	if err := l.read(ctx); err != nil || !follow {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
		if err := l.read(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// service finds a service and goes to its environment.
func (o Operator) service(ctx context.Context, environment, name string) (*Target, stacks.Service, error) {
	s, err := Named("service", name, o.Config.Platform.Services, func(s stacks.Service) string { return s.Name })
	if err != nil {
		return nil, s, err
	}
	t, err := o.Enter(ctx, environment)
	return t, s, err
}

// lines are those of a log group.
type lines struct {
	client *cloudwatchlogs.Client
	group  string
	out    io.Writer
	// from is the time of the newest line, in milliseconds, and seen are the ids of the lines printed that are not much older.
	from int64
	seen map[string]bool
}

// lateMillis is how much later than its own time a line may become readable.
const lateMillis = 10_000

// read prints the lines that are new.
func (l *lines) read(ctx context.Context) error {
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(l.client, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &l.group, StartTime: aws.Int64(l.from),
	})
	newest := l.from
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isA[*logtypes.ResourceNotFoundException](err) {
			return refused("there is no log group %s: make deploy", l.group)
		}
		if err != nil {
			return fmt.Errorf("read log group %s: %w", l.group, err)
		}
		for _, e := range page.Events {
			id := aws.ToString(e.EventId)
			if l.seen[id] {
				continue
			}
			l.seen[id] = true
			newest = max(newest, aws.ToInt64(e.Timestamp)-lateMillis)
			l.print(e)
		}
	}
	l.from = newest
	return nil
}

// print writes a line with its time and the first digits of its task's id, the end of its stream.
func (l *lines) print(e logtypes.FilteredLogEvent) {
	stream := aws.ToString(e.LogStreamName)
	task := stream[strings.LastIndexByte(stream, '/')+1:]
	at := time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC().Format("15:04:05.000")
	fmt.Fprintf(l.out, "%s %s | %s\n", at, task[:min(len(task), 8)], strings.TrimRight(aws.ToString(e.Message), "\r\n"))
}
