package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

// ExitError is a task whose container ended with another code than 0.
type ExitError struct {
	Code int
	text string
}

func (e ExitError) Error() string { return e.text }

// Run starts a one-off task of an environment, prints its log as it comes, and waits for its end. The command replaces
// that of the image; none leaves it. The error is an ExitError where the container's exit code was not 0.
func (o Operator) Run(ctx context.Context, environment, task string, command []string) error {
	e, err := o.environment(environment)
	if err != nil {
		return err
	}
	var tasks []stacks.Service
	for _, s := range o.Config.Platform.Services {
		if s.Kind == service.Task {
			tasks = append(tasks, s)
		}
	}
	if _, err := Named("task", task, tasks, func(s stacks.Service) string { return s.Name }); err != nil {
		return err
	}
	t, err := o.enter(ctx, e)
	if err != nil {
		return err
	}
	r := &run{Target: t, name: task, ecs: ecs.NewFromConfig(t.AWS), logs: cloudwatchlogs.NewFromConfig(t.AWS)}
	request, err := r.request(ctx, fmt.Sprintf("/%s/%s/%s/run", o.Config.Platform.Name, e.Name, task), command)
	if err != nil {
		return err
	}
	if err := r.start(ctx, request); err != nil {
		return err
	}
	if err := r.wait(ctx); err != nil {
		return fmt.Errorf("%w\n%s may still be running; to stop it: aws ecs stop-task --region %s --cluster %s --task %s",
			err, task, e.Region, r.cluster, r.arn)
	}
	return r.outcome()
}

// run is a task that runs.
type run struct {
	*Target
	name string
	ecs  *ecs.Client
	logs *cloudwatchlogs.Client

	cluster, arn string
	// stream is the task's log, and next the place in it up to which it was printed.
	stream string
	next   *string
	// unseen is how often in a row ECS did not know the task.
	unseen int
	// task is how it was last seen.
	task types.Task
}

// request reads how the task is started. Terraform writes it in the words of the RunTask API, so it is the request itself.
func (r *run) request(ctx context.Context, parameter string, command []string) (*ecs.RunTaskInput, error) {
	found, err := ssm.NewFromConfig(r.AWS).GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter})
	if isA[*ssmtypes.ParameterNotFound](err) {
		return nil, fmt.Errorf("there is no parameter %s, which says how the task is started: make deploy ENV=%s", parameter, r.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", parameter, err)
	}
	request, err := parse(aws.ToString(found.Parameter.Value))
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w: make deploy ENV=%s writes it anew", parameter, err, r.Name)
	}
	// The SDK adds a client token of its own: a request that is sent again does not start a second task.
	request.StartedBy = &r.Operator
	if len(command) > 0 {
		request.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: &r.name, Command: command}}}
	}
	return request, nil
}

// parse reads a request, and refuses what it does not know rather than to start a task without it.
func parse(document string) (*ecs.RunTaskInput, error) {
	var request ecs.RunTaskInput
	decoder := json.NewDecoder(bytes.NewReader([]byte(document)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("it is no RunTask request: %w", err)
	}
	if request.Cluster == nil || request.TaskDefinition == nil {
		return nil, errors.New("it is no RunTask request: cluster and taskDefinition are missing")
	}
	return &request, nil
}

func (r *run) start(ctx context.Context, request *ecs.RunTaskInput) error {
	// An interrupt waits for the answer: it names the task.
	started, err := r.ecs.RunTask(context.WithoutCancel(ctx), request)
	if err != nil {
		return fmt.Errorf("start %s: %w", r.name, err)
	}
	if len(started.Tasks) == 0 {
		return fmt.Errorf("start %s: ECS started nothing: %s", r.name, reasons(started.Failures))
	}
	r.task = started.Tasks[0]
	r.cluster, r.arn = *request.Cluster, aws.ToString(r.task.TaskArn)
	r.stream = fmt.Sprintf("ecs/%s/%s", r.name, r.arn[strings.LastIndex(r.arn, "/")+1:])
	r.Say("%s: started %s", r.name, r.arn)
	return nil
}

// reasons lists why ECS did not do something.
func reasons(failures []types.Failure) string {
	var all []string
	for _, f := range failures {
		words := []string{aws.ToString(f.Arn), aws.ToString(f.Reason), aws.ToString(f.Detail)}
		all = append(all, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	}
	return strings.Join(all, "; ")
}

// wait prints the log until the task has stopped.
func (r *run) wait(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		if err := r.look(ctx); err != nil {
			return false, err
		}
		// A task has stopped only after its network was taken down, seconds after its last line: that is in the log by now.
		return aws.ToString(r.task.LastStatus) == "STOPPED", r.follow(ctx)
	})
}

func (r *run) look(ctx context.Context) error {
	seen, err := r.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &r.cluster, Tasks: []string{r.arn}})
	if err != nil {
		return fmt.Errorf("look at %s: %w", r.name, err)
	}
	if len(seen.Tasks) > 0 {
		r.task, r.unseen = seen.Tasks[0], 0
		return nil
	}
	// ECS may not know a task in the first seconds.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
	if r.unseen++; r.unseen > 5 {
		return fmt.Errorf("look at %s: ECS does not know the task: %s", r.name, reasons(seen.Failures))
	}
	return nil
}

// follow prints what is new in the log. The stream begins with the container's first line.
func (r *run) follow(ctx context.Context) error {
	for {
		page, err := r.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("/ecs/" + r.name), LogStreamName: &r.stream, StartFromHead: aws.Bool(true), NextToken: r.next,
		})
		if isA[*logtypes.ResourceNotFoundException](err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", r.name, err)
		}
		for _, event := range page.Events {
			r.Say("| %s", strings.TrimRight(aws.ToString(event.Message), "\r\n"))
		}
		// The same token again is the end.
		if aws.ToString(page.NextForwardToken) == aws.ToString(r.next) {
			return nil
		}
		r.next = page.NextForwardToken
	}
}

// outcome says how the task ended: well only if its container ended by itself, with 0.
func (r *run) outcome() error {
	err := outcome(r.task, r.name)
	if err == nil {
		r.Say("%s: exited with 0", r.name)
		return nil
	}
	if r.next == nil {
		return err
	}
	return fmt.Errorf("%w\nits log: group /ecs/%s, stream %s", err, r.name, r.stream)
}

func outcome(task types.Task, name string) error {
	why := []string{aws.ToString(task.StoppedReason)}
	var code *int32
	for _, c := range task.Containers {
		if aws.ToString(c.Name) == name {
			code = c.ExitCode
		}
		if reason := aws.ToString(c.Reason); reason != "" {
			why = append(why, fmt.Sprintf("container %s: %s", aws.ToString(c.Name), reason))
		}
	}
	reason := strings.Join(why, "; ")
	switch {
	case code == nil:
		return fmt.Errorf("%s never ran: %s", name, reason)
	case *code != 0:
		return ExitError{int(*code), fmt.Sprintf("%s exited with %d: %s", name, *code, reason)}
	case task.StopCode != types.TaskStopCodeEssentialContainerExited:
		// A container that ends in order when it is told to exits with 0, its work half done.
		return fmt.Errorf("%s was stopped before it ended by itself (%s): %s", name, task.StopCode, reason)
	}
	return nil
}
