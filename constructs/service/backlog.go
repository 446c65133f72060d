package service

import (
	"errors"
	"fmt"
	"strconv"

	"aws-microservices/constructs/monitoring"
)

// Backlog is what a service team knows of a Worker's messages. The number of tasks follows from it: docs/scaling.md has the
// reasons and what a simulation of it measured.
type Backlog struct {
	// MessageSeconds is how long one task works on one message, on average. A task that works on several at once takes its
	// share for each: 10 at once in 5 s are 0.5.
	MessageSeconds float64
	// MaxWaitSeconds is how long a message may wait before work on it begins. At least 600.
	MaxWaitSeconds int
}

const (
	// reactionSeconds go by from a surge to the first message that a new task receives, at worst: two minutes until CloudWatch
	// has a minute's metrics, three such minutes until the alarm, half a minute until it is evaluated, a minute and a
	// half to start the task.
	reactionSeconds = 420
	// leastDrainSeconds is the shortest time to catch up in: in less, a few waiting messages are tens of tasks.
	leastDrainSeconds = 180
	// visibilityTimes is how many average messages must fit into the visibility timeout: AWS asks the same of the queues its
	// own consumer reads. MessageSeconds is an average, and a task that works on several at once takes longer for each;
	// a message that outlives its timeout is worked on twice.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	visibilityTimes = 6
)

// Check refuses what cannot be kept, given the visibility timeout of the queue.
func (b Backlog) Check(visibilityTimeoutSeconds int) error {
	var problems []error
	refuse := func(format string, values ...any) { problems = append(problems, fmt.Errorf(format, values...)) }
	if !(b.MessageSeconds > 0) {
		refuse("MessageSeconds is %g: say how long one task works on one message", b.MessageSeconds)
	}
	if b.drainSeconds() < leastDrainSeconds {
		refuse("MaxWaitSeconds is %d: a new task may need %d s to come and %d to catch up: allow %d, or keep MinTasks for the peak",
			b.MaxWaitSeconds, reactionSeconds, leastDrainSeconds, reactionSeconds+leastDrainSeconds)
	} else if b.MessageSeconds > float64(b.drainSeconds()) {
		refuse("MaxWaitSeconds is %d: a message takes %g s, and a new task may need %d s to come: allow their sum",
			b.MaxWaitSeconds, b.MessageSeconds, reactionSeconds)
	}
	if float64(visibilityTimeoutSeconds) < visibilityTimes*b.MessageSeconds {
		refuse("VisibilityTimeoutSeconds is %d: make it %d times MessageSeconds, %g: a slow message would be worked on twice",
			visibilityTimeoutSeconds, visibilityTimes, visibilityTimes*b.MessageSeconds)
	}
	return errors.Join(problems...)
}

// The cooldowns of the policy that tracks a Backlog.
const (
	// BacklogScaleOutCooldownSeconds go by until a step shows in the metrics.
	BacklogScaleOutCooldownSeconds = 180
	// BacklogScaleInCooldownSeconds go by until most of the quarter of an hour that decides on the next step was measured
	// after the last one.
	BacklogScaleInCooldownSeconds = 600
)

// Target is the value of Expression at which the number of tasks is right.
func (b Backlog) Target() float64 { return 1 }

// Expression is, as metric math over Metrics, the share of the desired tasks that is needed:
//
//   - above 1 tasks are missing, and their number is multiplied by it;
//   - 1 also stands for up to a third and one task too many, so that a quiet quarter of an hour changes nothing;
//   - with more to spare, a quarter of the tasks goes, and at least one: the 0.6 tasks less end between whole numbers,
//     so that rounding up does not give them all back.
//
// Only sent is filled: a minute whose visible is not there yet must have no value, or the newest minute would always look
// empty and the alarm would never see three high ones in a row.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
func (b Backlog) Expression() string {
	needed := fmt.Sprintf("(visible / %d + FILL(sent, 0) / 60) * %s",
		b.drainSeconds(), strconv.FormatFloat(b.MessageSeconds, 'f', -1, 64))
	return fmt.Sprintf("IF(%[1]s > desired, %[1]s / desired, IF(%[1]s * 4 / 3 + 1 < desired, 0.75 - 0.6 / desired, 1))", needed)
}

// Metrics are what Expression computes with, by the minute. The caller adds their dimensions.
func (b Backlog) Metrics() map[string]monitoring.Metric {
	return map[string]monitoring.Metric{
		"visible": {Namespace: "AWS/SQS", Name: "ApproximateNumberOfMessagesVisible", Statistic: "Maximum"},
		"sent":    {Namespace: "AWS/SQS", Name: "NumberOfMessagesSent", Statistic: "Sum"},
		// Not the running tasks: what was ordered counts from then on, so nothing is ordered twice while it starts.
		"desired": {Namespace: "ECS/ContainerInsights", Name: "DesiredTaskCount", Statistic: "Average"},
	}
}

// drainSeconds is what is left of the wait once new tasks work.
func (b Backlog) drainSeconds() int { return b.MaxWaitSeconds - reactionSeconds }
