package release

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// deployment is one of a service, in the words of ECS.
type deployment struct {
	ID string
	// Status is PRIMARY for the one that ECS works towards, ACTIVE or INACTIVE for those it leaves.
	Status string
	// Revision is the ARN of its task definition.
	Revision string
	Rollout  types.DeploymentRolloutState
	Reason   string

	Desired, Running, Pending, Failed int

	Created time.Time
}

// state is how a service was seen.
type state struct {
	Status                    string
	Desired, Running, Pending int
	Deployments               []deployment
	Events                    []event
	// Alarms are those that end a deployment, and RollsBack whether ECS then goes back by itself.
	Alarms    []string
	RollsBack bool
}

type event struct {
	At   time.Time
	Text string
}

// primary is the deployment that ECS works towards.
func (s state) primary() deployment {
	for _, d := range s.Deployments {
		if d.Status == "PRIMARY" {
			return d
		}
	}
	return deployment{}
}

func (s state) deployment(id string) (deployment, bool) {
	i := slices.IndexFunc(s.Deployments, func(d deployment) bool { return d.ID == id })
	if i < 0 {
		return deployment{}, false
	}
	return s.Deployments[i], true
}

// stateOf reads what ECS says of a service.
func stateOf(s types.Service) state {
	seen := state{
		Status: aws.ToString(s.Status), Desired: int(s.DesiredCount), Running: int(s.RunningCount), Pending: int(s.PendingCount),
	}
	for _, d := range s.Deployments {
		seen.Deployments = append(seen.Deployments, deployment{
			ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), Revision: aws.ToString(d.TaskDefinition),
			Rollout: d.RolloutState, Reason: aws.ToString(d.RolloutStateReason),
			Desired: int(d.DesiredCount), Running: int(d.RunningCount), Pending: int(d.PendingCount), Failed: int(d.FailedTasks),
			Created: aws.ToTime(d.CreatedAt),
		})
	}
	for _, e := range s.Events {
		seen.Events = append(seen.Events, event{aws.ToTime(e.CreatedAt), aws.ToString(e.Message)})
	}
	if c := s.DeploymentConfiguration; c != nil {
		if c.DeploymentCircuitBreaker != nil {
			seen.RollsBack = c.DeploymentCircuitBreaker.Enable && c.DeploymentCircuitBreaker.Rollback
		}
		if c.Alarms != nil && c.Alarms.Enable {
			seen.Alarms = c.Alarms.AlarmNames
			seen.RollsBack = seen.RollsBack || c.Alarms.Rollback
		}
	}
	return seen
}

// Result is what became of a release.
type Result string

// The results.
const (
	// Serves: the version runs, in as many tasks as are wanted.
	Serves Result = "serves"
	// RolledBack: it did not work, and the service went back to what it ran before.
	RolledBack Result = "rolled back"
	// Broken: it did not work, and the service did not go back.
	Broken Result = "failed"
	// Superseded: somebody deployed something else meanwhile.
	Superseded Result = "superseded"
	// Deleted: the service is gone.
	Deleted Result = "deleted"
	// NotBegun: it was refused.
	NotBegun Result = "refused"
	// Waiting: nothing is decided yet.
	Waiting Result = "waiting"
)

// verdict is what one look at a service says of a deployment.
type verdict struct {
	Result Result
	// Reason is ECS's, and Progress how far it is.
	Reason, Progress string
	// Final says that there is nothing to wait for any more.
	Final bool
	// Adopt is a newer deployment of the same revision: following goes on with it.
	Adopt string
}

// judge says what a look at the service means for a deployment of a revision. It is the heart of the truth:
//
//	the deployment is   and then
//	PRIMARY, COMPLETED  serves, as soon as as many tasks run as are wanted
//	PRIMARY, FAILED     broken; ECS may still be about to go back
//	not PRIMARY, FAILED rolled back, as soon as the PRIMARY one is COMPLETED
//	not PRIMARY         superseded, unless ECS says that it is going back
//	not listed          as above: ECS drops a deployment as soon as it has no tasks
//
// before is the revision that ran before it, if that is known: a service that is on it again went back.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
func judge(s state, id, revision, before string) verdict {
	if s.Status != "ACTIVE" {
		return verdict{Result: Deleted, Reason: "the service is " + strings.ToLower(s.Status), Final: true}
	}
	own, listed := s.deployment(id)
	primary := s.primary()
	switch {
	case listed && own.Status == "PRIMARY":
		return own.judge(s)
	case primary.Revision == revision:
		return verdict{Result: Waiting, Adopt: primary.ID, Progress: "the same revision is deployed anew by " + primary.ID}
	case listed && own.Rollout == failedRollout, goesBack(primary, s, id), primary.Revision == before:
		v := verdict{Result: RolledBack, Reason: own.Reason, Final: settled(primary)}
		if v.Reason == "" {
			v.Reason = firstOf(s.failure(id), primary.rollback(), "the service is on what it ran before")
		}
		v.Progress = fmt.Sprintf("going back: %d of %d tasks run", primary.Running, primary.Desired)
		return v
	}
	return verdict{
		Result: Superseded, Final: true,
		Reason: fmt.Sprintf("deployment %s of %s took its place", primary.ID, tail(primary.Revision)),
	}
}

// judge says what a deployment has come to that ECS works towards.
func (d deployment) judge(s state) verdict {
	progress := fmt.Sprintf("%d of %d tasks run", d.Running, d.Desired)
	if d.Pending > 0 {
		progress += fmt.Sprintf(", %d start", d.Pending)
	}
	if d.Failed > 0 {
		progress += fmt.Sprintf(", %d failed", d.Failed)
	}
	switch d.Rollout {
	case failedRollout:
		return verdict{Result: Broken, Reason: firstOf(d.Reason, s.failure(d.ID)), Progress: progress, Final: !s.RollsBack}
	case completedRollout:
		if d.Running >= d.Desired && s.Running >= s.Desired {
			return verdict{Result: Serves, Progress: progress, Final: true}
		}
	}
	return verdict{Result: Waiting, Progress: progress}
}

// settled tells whether a deployment has come to its end.
func settled(d deployment) bool {
	switch d.Rollout {
	case failedRollout:
		return true
	case completedRollout:
		return d.Running >= d.Desired
	}
	return false
}

// deploys tells whether a deployment is under way.
func (s state) deploys() bool {
	return s.primary().Rollout == inProgressRollout
}

// goesBack tells whether ECS put the deployment into its place because the one of the id failed. ECS says so in the reason of
// the rollback, as "circuit breaker: rolling back to deploymentId ecs-svc/123.", and in an event.
func goesBack(d deployment, s state, id string) bool {
	return d.rollback() != "" || s.failure(id) != ""
}

// rollback is the reason of a deployment that takes a service back, while it is under way.
func (d deployment) rollback() string {
	if strings.Contains(strings.ToLower(d.Reason), "rolling back") {
		return d.Reason
	}
	return ""
}

// failure is the event that tells that a deployment failed, in the words of ECS. Without an id it is the newest of any.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func (s state) failure(id string) string {
	for _, e := range s.Events {
		if (id == "" || strings.Contains(e.Text, id+")")) && strings.Contains(e.Text, "deployment failed") {
			return strings.TrimSpace(e.Text[strings.Index(e.Text, "deployment failed"):])
		}
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// tail is the part of an ARN that people read.
func tail(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
