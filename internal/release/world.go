package release

import (
	"context"
	"time"
)

// world is all that a release sees of one service, and all that it does to it. It is AWS, or in tests a recording.
type world interface {
	// history is the ledger, oldest first, and write adds to it.
	history(ctx context.Context) ([]Entry, error)
	write(ctx context.Context, value string, label Label) (number int64, err error)

	// newest is the newest active revision of the task definition: what Terraform takes for its own.
	newest(ctx context.Context) (revision, error)
	// revision is the one of the ARN, active or not.
	revision(ctx context.Context, arn string) (revision, error)
	// revisions are the active ones, newest first.
	revisions(ctx context.Context) ([]revision, error)
	// register makes a copy that differs in the service's own image only.
	register(ctx context.Context, from revision, image string) (revision, error)
	deregister(ctx context.Context, r revision) error

	// look is how the service is.
	look(ctx context.Context) (state, error)
	// update starts a deployment; tasks is how many are wanted, nil as many as there are.
	update(ctx context.Context, r revision, tasks *int, force bool) (id string, err error)
	// waits tells whether autoscaling is suspended because nothing was released yet, and whether there is any.
	waits(ctx context.Context) (waits, scales bool, err error)
	// rouse lets autoscaling begin, and rest suspends it again.
	rouse(ctx context.Context) error
	rest(ctx context.Context) error

	// stopped are the tasks of a revision that ended since.
	stopped(ctx context.Context, r revision, since time.Time) ([]Task, error)
	// sick are its tasks that run and are not well.
	sick(ctx context.Context, r revision) ([]Task, error)
	// log is the end of a task's log.
	log(ctx context.Context, t Task) ([]string, error)
	// alarming are those of the alarms that are in alarm.
	alarming(ctx context.Context, names []string) ([]string, error)
	// measure sends the metrics of delivery.
	measure(ctx context.Context, m measures) error

	now() time.Time
	// pause waits a little before look is called for the nth time, or until the context ends.
	pause(ctx context.Context, n int)
}

// revision is one of the service's task definition.
type revision struct {
	ARN    string
	Number int
	// Image is that of the service's own container.
	Image string
}

// Task is one that stopped, or is not well.
type Task struct {
	ID         string      `json:"id"`
	StopCode   string      `json:"stopCode,omitempty"`
	Reason     string      `json:"reason,omitempty"`
	Health     string      `json:"health,omitempty"`
	Containers []Container `json:"containers,omitempty"`
}

// Container is one of a task.
type Container struct {
	Name     string `json:"name"`
	ExitCode *int   `json:"exitCode,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// measures are the metrics of delivery of one release.
type measures struct {
	Serves     bool
	Seconds    float64
	RolledBack bool
	// LeadSeconds is the time from the commit. Zero is unknown.
	LeadSeconds float64
	// RestoreSeconds is how long a failure lasted that is over now. Zero is none.
	RestoreSeconds float64
}
