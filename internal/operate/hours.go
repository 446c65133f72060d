package operate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// The scheduled actions that put an environment to sleep and wake it.
const (
	sleepAction = "sleep"
	wakeAction  = "wake"
)

// Wake wakes an environment before its time: it starts the databases, gives every service the size of the day, and waits
// until all of it runs.
func (o Operator) Wake(ctx context.Context, environment string) error {
	h, err := o.hours(ctx, environment)
	if err != nil {
		return err
	}
	err = h.settle(ctx, available)
	if err == nil {
		err = h.resize(ctx, wakeAction)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s is not awake; run this again to carry on", err, environment)
	}
	h.Say("%s is awake until %s", environment, h.next(sleepAction))
	return nil
}

// Sleep puts an environment to sleep before its time: it gives every service the size of the night, waits until no more
// than that runs, and stops the databases.
func (o Operator) Sleep(ctx context.Context, environment string) error {
	h, err := o.hours(ctx, environment)
	if err != nil {
		return err
	}
	err = h.resize(ctx, sleepAction)
	if err == nil {
		err = h.settle(ctx, stopped)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s is not asleep; run this again to carry on", err, environment)
	}
	h.Say("%s is asleep until %s", environment, h.next(wakeAction))
	return nil
}

// hours are an environment's sleeping hours.
type hours struct {
	*Target
	scaling *scaling.Client
	ecs     *ecs.Client
	rds     *rds.Client
	// actions are the scheduled actions by name and service.
	actions map[string]map[string]scalingtypes.ScheduledAction
	// waiting are the services that wait for their first release.
	waiting map[string]bool
}

// hours finds out when and how an environment sleeps from what is there, so that it is what AWS itself will do next.
func (o Operator) hours(ctx context.Context, environment string) (*hours, error) {
	e, err := o.environment(environment)
	if err != nil {
		return nil, err
	}
	t, err := o.enter(ctx, e)
	if err != nil {
		return nil, err
	}
	h := &hours{
		Target: t, scaling: scaling.NewFromConfig(t.AWS), ecs: ecs.NewFromConfig(t.AWS), rds: rds.NewFromConfig(t.AWS),
		actions: map[string]map[string]scalingtypes.ScheduledAction{sleepAction: {}, wakeAction: {}}, waiting: map[string]bool{},
	}
	pages := scaling.NewDescribeScheduledActionsPaginator(h.scaling, &scaling.DescribeScheduledActionsInput{
		ServiceNamespace:  scalingtypes.ServiceNamespaceEcs,
		ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("sleeping hours of %s: %w", environment, err)
		}
		for _, a := range page.ScheduledActions {
			service, ours := strings.CutPrefix(aws.ToString(a.ResourceId), "service/"+t.Prefix+"/")
			named, known := h.actions[aws.ToString(a.ScheduledActionName)]
			if ours && known && a.ScalableTargetAction != nil {
				named[service] = a
			}
		}
	}
	if err := h.skipUnreleased(ctx); err != nil {
		return nil, err
	}
	if len(h.actions[sleepAction]) == 0 || len(h.actions[wakeAction]) == 0 {
		return nil, fmt.Errorf("environment %s has no sleeping hours: nothing to do; to give it some, set Sleep in stacks and make deploy ENV=%s",
			environment, environment)
	}
	return h, nil
}

// skipUnreleased finds the services whose autoscaling is suspended: they wait for their first release, and have no image
// to start.
func (h *hours) skipUnreleased(ctx context.Context) error {
	pages := scaling.NewDescribeScalableTargetsPaginator(h.scaling, &scaling.DescribeScalableTargetsInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("autoscaling of %s: %w", h.Name, err)
		}
		for _, t := range page.ScalableTargets {
			service, ours := strings.CutPrefix(aws.ToString(t.ResourceId), "service/"+h.Prefix+"/")
			if ours && t.SuspendedState != nil && aws.ToBool(t.SuspendedState.ScheduledScalingSuspended) {
				h.Say("service %s: it waits for its first release", service)
				h.waiting[service] = true
			}
		}
	}
	return nil
}

// services are those with an action of the name that have something to start, in order.
func (h *hours) services(action string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h.actions[action])), func(name string) bool { return h.waiting[name] })
}

// next says when an action comes by itself.
func (h *hours) next(action string) string {
	times := map[string]bool{}
	for _, a := range h.actions[action] {
		times[fmt.Sprintf("%s %s", aws.ToString(a.Schedule), cmp.Or(aws.ToString(a.Timezone), "UTC"))] = true
	}
	return fmt.Sprintf("the next %s by schedule, %s", action, strings.Join(slices.Sorted(maps.Keys(times)), " and "))
}

// resize gives every service the bounds that a scheduled action would, and waits until as many of its tasks run.
func (h *hours) resize(ctx context.Context, action string) error {
	for _, name := range h.services(action) {
		a := h.actions[action][name]
		// AWS moves the service into its new bounds at once.
		// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
		_, err := h.scaling.RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
			ServiceNamespace: a.ServiceNamespace, ScalableDimension: a.ScalableDimension, ResourceId: a.ResourceId,
			MinCapacity: a.ScalableTargetAction.MinCapacity, MaxCapacity: a.ScalableTargetAction.MaxCapacity,
		})
		if err != nil {
			return fmt.Errorf("service %s: %w", name, err)
		}
		h.Say("service %s: %s tasks", name, bounds(*a.ScalableTargetAction))
	}
	running := map[string]bool{}
	return await(ctx, func() (wanting []string, err error) {
		for batch := range slices.Chunk(h.services(action), 10) { // as many as ECS describes at once
			seen, err := h.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &h.Prefix, Services: batch})
			if err != nil {
				return nil, fmt.Errorf("services of cluster %s: %w", h.Prefix, err)
			}
			if len(seen.Failures) > 0 {
				return nil, fmt.Errorf("services of cluster %s: %s", h.Prefix, reasons(seen.Failures))
			}
			for _, s := range seen.Services {
				name := aws.ToString(s.ServiceName)
				wanted := *h.actions[action][name].ScalableTargetAction
				switch {
				case !within(s.RunningCount, wanted):
					wanting = append(wanting, fmt.Sprintf("service %s: %d running, not %s%s", name, s.RunningCount, bounds(wanted), lately(s)))
				case !running[name]:
					h.Say("service %s: %d running", name, s.RunningCount)
					running[name] = true
				}
			}
		}
		return wanting, nil
	})
}

func bounds(a scalingtypes.ScalableTargetAction) string {
	return fmt.Sprintf("%d to %d", aws.ToInt32(a.MinCapacity), aws.ToInt32(a.MaxCapacity))
}

func within(running int32, a scalingtypes.ScalableTargetAction) bool {
	return aws.ToInt32(a.MinCapacity) <= running && running <= aws.ToInt32(a.MaxCapacity)
}

// lately is the last thing that happened to a service: often why its tasks do not run.
func lately(s types.Service) string {
	if len(s.Events) == 0 {
		return ""
	}
	return ": " + aws.ToString(s.Events[0].Message)
}

// await looks until nothing is wanting; what still is when the waiting ends is in the error.
func await(ctx context.Context, look func() (wanting []string, err error)) error {
	var wanting []string
	err := poll(ctx, func() (bool, error) {
		seen, err := look()
		if err == nil {
			wanting = seen
		}
		return len(seen) == 0, err
	})
	if err != nil && len(wanting) > 0 {
		return fmt.Errorf("%w\n%s", err, strings.Join(wanting, "\n"))
	}
	return err
}
