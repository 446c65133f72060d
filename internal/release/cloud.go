package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-microservices/internal/operate"
	"aws-microservices/stacks"
)

// logLines is how much of a log is shown.
const logLines = 10

// cloud is a service in AWS.
type cloud struct {
	ledger
	target  *operate.Target
	service stacks.Service

	ecs        *ecs.Client
	scaling    *scaling.Client
	cloudwatch *cloudwatch.Client
	logs       *cloudwatchlogs.Client
}

func openCloud(t *operate.Target, s stacks.Service) *cloud {
	return &cloud{
		ledger: ledger{fmt.Sprintf("/%s/%s/%s/image", t.Platform, t.Name, s.Name), ssm.NewFromConfig(t.AWS)},
		target: t, service: s,
		ecs: ecs.NewFromConfig(t.AWS), scaling: scaling.NewFromConfig(t.AWS),
		cloudwatch: cloudwatch.NewFromConfig(t.AWS), logs: cloudwatchlogs.NewFromConfig(t.AWS),
	}
}

func (c *cloud) cluster() string { return c.target.Prefix }
func (c *cloud) family() string  { return c.target.Prefix + "-" + c.service.Name }

func (c *cloud) newest(ctx context.Context) (revision, error) { return c.revision(ctx, c.family()) }

func (c *cloud) revision(ctx context.Context, arn string) (revision, error) {
	definition, _, err := c.define(ctx, arn)
	if err != nil {
		return revision{}, err
	}
	return c.read(definition), nil
}

func (c *cloud) define(ctx context.Context, name string) (*types.TaskDefinition, []types.Tag, error) {
	found, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &name, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if client := new(types.ClientException); errors.As(err, &client) && strings.Contains(client.ErrorMessage(), "Unable to describe") {
		return nil, nil, Refused("there is no task definition %s: make deploy ENV=%s", tail(name), c.target.Name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("task definition %s: %w", tail(name), err)
	}
	return found.TaskDefinition, found.Tags, nil
}

func (c *cloud) read(d *types.TaskDefinition) revision {
	r := revision{ARN: aws.ToString(d.TaskDefinitionArn), Number: int(d.Revision)}
	if i := c.own(d.ContainerDefinitions); i >= 0 {
		r.Image = aws.ToString(d.ContainerDefinitions[i].Image)
	}
	return r
}

// own is which container runs the service's image: sidecars are named otherwise.
func (c *cloud) own(all []types.ContainerDefinition) int {
	return slices.IndexFunc(all, func(d types.ContainerDefinition) bool { return aws.ToString(d.Name) == c.service.Name })
}

func (c *cloud) revisions(ctx context.Context) ([]revision, error) {
	listed, err := c.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: aws.String(c.family()), Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: aws.Int32(20),
	})
	if err != nil {
		return nil, fmt.Errorf("task definitions %s: %w", c.family(), err)
	}
	var all []revision
	for _, arn := range listed.TaskDefinitionArns {
		r, err := c.revision(ctx, arn)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (c *cloud) register(ctx context.Context, from revision, image string) (revision, error) {
	d, tags, err := c.define(ctx, from.ARN)
	if err != nil {
		return revision{}, err
	}
	own := c.own(d.ContainerDefinitions)
	if own < 0 {
		return revision{}, Refused("task definition %s has no container %s", tail(from.ARN), c.service.Name)
	}
	d.ContainerDefinitions[own].Image = &image
	if len(tags) == 0 {
		tags = nil // AWS refuses an empty list
	}
	made, err := c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory,
		EnableFaultInjection: d.EnableFaultInjection, EphemeralStorage: d.EphemeralStorage, ExecutionRoleArn: d.ExecutionRoleArn,
		IpcMode: d.IpcMode, NetworkMode: d.NetworkMode, PidMode: d.PidMode,
		PlacementConstraints: d.PlacementConstraints, ProxyConfiguration: d.ProxyConfiguration,
		RequiresCompatibilities: d.RequiresCompatibilities, RuntimePlatform: d.RuntimePlatform, TaskRoleArn: d.TaskRoleArn,
		Volumes: d.Volumes, Tags: tags,
	})
	if err != nil {
		return revision{}, fmt.Errorf("register a revision of %s: %w", c.family(), err)
	}
	return c.read(made.TaskDefinition), nil
}

func (c *cloud) deregister(ctx context.Context, r revision) error {
	_, err := c.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &r.ARN})
	if err != nil {
		return fmt.Errorf("deregister %s: %w", tail(r.ARN), err)
	}
	return nil
}

func (c *cloud) look(ctx context.Context) (state, error) {
	seen, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(c.cluster()), Services: []string{c.service.Name}})
	if isA[*types.ClusterNotFoundException](err) || err == nil && len(seen.Services) == 0 {
		return state{}, Refused("there is no service %s in cluster %s: make deploy ENV=%s", c.service.Name, c.cluster(), c.target.Name)
	}
	if err != nil {
		return state{}, fmt.Errorf("service %s: %w", c.service.Name, err)
	}
	return stateOf(seen.Services[0]), nil
}

func (c *cloud) update(ctx context.Context, r revision, tasks *int, force bool) (string, error) {
	request := &ecs.UpdateServiceInput{
		Cluster: aws.String(c.cluster()), Service: &c.service.Name, TaskDefinition: &r.ARN, ForceNewDeployment: force,
	}
	if tasks != nil {
		request.DesiredCount = aws.Int32(int32(*tasks))
	}
	updated, err := c.ecs.UpdateService(ctx, request)
	if err != nil {
		return "", fmt.Errorf("service %s: %w", c.service.Name, err)
	}
	return stateOf(*updated.Service).primary().ID, nil
}

// --- autoscaling

func (c *cloud) waits(ctx context.Context) (waits, scales bool, err error) {
	found, err := c.scaling.DescribeScalableTargets(ctx, &scaling.DescribeScalableTargetsInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceIds: []string{c.scalable()},
	})
	if err != nil {
		return false, false, fmt.Errorf("autoscaling of %s: %w", c.service.Name, err)
	}
	if len(found.ScalableTargets) == 0 {
		return false, false, nil
	}
	s := found.ScalableTargets[0].SuspendedState
	return s != nil && aws.ToBool(s.ScheduledScalingSuspended), true, nil
}

func (c *cloud) scalable() string { return "service/" + c.cluster() + "/" + c.service.Name }

func (c *cloud) rouse(ctx context.Context) error {
	size := c.target.SizeOf(c.service.Name)
	return c.bound(ctx, size.MinTasks, size.MaxTasks, false)
}

func (c *cloud) rest(ctx context.Context) error { return c.bound(ctx, 0, 0, true) }

func (c *cloud) bound(ctx context.Context, least, most int, suspended bool) error {
	_, err := c.scaling.RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceId: aws.String(c.scalable()),
		ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
		MinCapacity:       aws.Int32(int32(least)), MaxCapacity: aws.Int32(int32(most)),
		SuspendedState: &scalingtypes.SuspendedState{
			DynamicScalingInSuspended: &suspended, DynamicScalingOutSuspended: &suspended, ScheduledScalingSuspended: &suspended,
		},
	})
	if err != nil {
		return fmt.Errorf("autoscaling of %s: %w", c.service.Name, err)
	}
	return nil
}

// --- what went wrong

func (c *cloud) stopped(ctx context.Context, r revision, since time.Time) ([]Task, error) {
	tasks, err := c.tasks(ctx, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	var all []Task
	for _, t := range tasks {
		if aws.ToString(t.TaskDefinitionArn) == r.ARN && !aws.ToTime(t.CreatedAt).Before(since) {
			all = append(all, taskOf(t))
		}
	}
	return all, nil
}

func (c *cloud) sick(ctx context.Context, r revision) ([]Task, error) {
	tasks, err := c.tasks(ctx, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	var all []Task
	for _, t := range tasks {
		if aws.ToString(t.TaskDefinitionArn) == r.ARN && t.HealthStatus == types.HealthStatusUnhealthy {
			all = append(all, taskOf(t))
		}
	}
	return all, nil
}

func (c *cloud) tasks(ctx context.Context, status types.DesiredStatus) ([]types.Task, error) {
	listed, err := c.ecs.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: aws.String(c.cluster()), ServiceName: &c.service.Name, DesiredStatus: status,
	})
	if err != nil || len(listed.TaskArns) == 0 {
		return nil, err
	}
	seen, err := c.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(c.cluster()), Tasks: listed.TaskArns})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(seen.Tasks, func(a, b types.Task) int { return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt)) })
	return seen.Tasks, nil
}

func taskOf(t types.Task) Task {
	one := Task{ID: tail(aws.ToString(t.TaskArn)), StopCode: string(t.StopCode), Reason: aws.ToString(t.StoppedReason)}
	if t.HealthStatus == types.HealthStatusUnhealthy && aws.ToString(t.LastStatus) != "STOPPED" && one.StopCode == "" {
		one.Health = string(t.HealthStatus)
	}
	for _, c := range t.Containers {
		container := Container{Name: aws.ToString(c.Name), Reason: aws.ToString(c.Reason)}
		if c.ExitCode != nil {
			container.ExitCode = aws.Int(int(*c.ExitCode))
		}
		one.Containers = append(one.Containers, container)
	}
	return one
}

func (c *cloud) log(ctx context.Context, t Task) ([]string, error) {
	page, err := c.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String("/ecs/" + c.service.Name), LogStreamName: aws.String("ecs/" + c.service.Name + "/" + t.ID),
		Limit: aws.Int32(logLines), StartFromHead: aws.Bool(false),
	})
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, e := range page.Events {
		lines = append(lines, strings.TrimRight(aws.ToString(e.Message), "\r\n"))
	}
	return lines, nil
}

func (c *cloud) alarming(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, err := c.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, StateValue: cloudwatchtypes.StateValueAlarm,
		AlarmTypes: []cloudwatchtypes.AlarmType{cloudwatchtypes.AlarmTypeMetricAlarm, cloudwatchtypes.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, a := range found.MetricAlarms {
		all = append(all, strings.TrimSuffix(aws.ToString(a.AlarmName)+": "+aws.ToString(a.StateReason), ": "))
	}
	for _, a := range found.CompositeAlarms {
		all = append(all, strings.TrimSuffix(aws.ToString(a.AlarmName)+": "+aws.ToString(a.StateReason), ": "))
	}
	return all, nil
}

// --- time

func (c *cloud) now() time.Time { return time.Now() }

func (c *cloud) pause(ctx context.Context, n int) {
	select {
	case <-ctx.Done():
	case <-time.After(min(time.Second+time.Duration(n)*250*time.Millisecond, 5*time.Second)):
	}
}

// passing tells whether an error goes by itself: AWS throttles or has a fault of its own, or the network is away.
func passing(err error) bool {
	// An answer that was cut off does not read as JSON.
	if cut := new(json.SyntaxError); errors.As(err, &cut) {
		return true
	}
	if response := new(smithyhttp.ResponseError); errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		return true
	}
	for _, r := range retry.DefaultRetryables {
		if r.IsErrorRetryable(err) == aws.TrueTernary {
			return true
		}
	}
	return false
}

// isA tells whether AWS answered with this kind of error.
func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
