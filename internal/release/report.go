package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	failedRollout     = types.DeploymentRolloutStateFailed
	completedRollout  = types.DeploymentRolloutStateCompleted
	inProgressRollout = types.DeploymentRolloutStateInProgress
)

// Outcome is what became of a release, for people and for scripts.
type Outcome struct {
	Environment string `json:"environment"`
	Service     string `json:"service"`
	Version     string `json:"version"`
	Digest      string `json:"digest,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Result      Result `json:"result"`
	// Now is the version that runs after a release that failed.
	Now        string  `json:"now,omitempty"`
	Deployment string  `json:"deployment,omitempty"`
	Revision   string  `json:"revision,omitempty"`
	Seconds    float64 `json:"seconds"`
	// Message is the reason, in the words of AWS where they are any.
	Message string `json:"message,omitempty"`
	// Tasks are those that stopped or are not well, and Log is the end of one's log.
	Tasks  []Task   `json:"tasks,omitempty"`
	Log    []string `json:"log,omitempty"`
	Alarms []string `json:"alarms,omitempty"`
	Events []string `json:"events,omitempty"`
}

// complete gives a release that ended early its result and reason.
func (o *Outcome) complete(err *error) {
	if o.Result == "" {
		o.Result = result(*err)
	}
	if o.Message == "" && *err != nil {
		o.Message = (*err).Error()
	}
}

// explain gathers why a deployment failed. What cannot be found out is left out: the verdict stands without it.
func (d *deployer) explain(ctx context.Context, seen state, r revision) {
	d.collect(ctx, r)
	d.outcome.Tasks = d.ended
	if sick, err := d.sick(ctx, r); err == nil {
		d.outcome.Tasks = append(d.outcome.Tasks, sick...)
	}
	for _, t := range slices.Backward(d.outcome.Tasks) {
		if lines, err := d.log(ctx, t); err == nil && len(lines) > 0 {
			d.outcome.Log = lines
			break
		}
	}
	if alarms, err := d.alarming(ctx, seen.Alarms); err == nil {
		d.outcome.Alarms = alarms
	}
	d.outcome.Events = relevant(seen.Events, d.since)
}

// telling are the words of events that say why something did not work.
var telling = []string{"unable", "failed", "unhealthy", "roll", "alarm", "error", "unreachable", "exceeded", "insufficient"}

const mostEvents = 6

// relevant are the service's events since the release that say what went wrong, oldest first, each text once.
func relevant(events []event, since time.Time) []string {
	var texts []string
	for _, e := range events {
		text := strings.ToLower(e.Text)
		if e.At.Before(since) || slices.Contains(texts, e.Text) || len(texts) == mostEvents ||
			!slices.ContainsFunc(telling, func(word string) bool { return strings.Contains(text, word) }) {
			continue
		}
		texts = append(texts, e.Text)
	}
	slices.Reverse(texts)
	return texts
}

// String is the task in a line.
func (t Task) String() string {
	words := []string{t.ID[:min(len(t.ID), 8)]}
	if t.Health != "" {
		words = append(words, "runs and is "+strings.ToLower(t.Health))
	} else {
		words = append(words, "stopped")
	}
	if t.StopCode != "" {
		words = append(words, "("+t.StopCode+")")
	}
	line := strings.Join(words, " ")
	var why []string
	if t.Reason != "" {
		why = append(why, t.Reason)
	}
	for _, c := range t.Containers {
		switch {
		case c.ExitCode != nil && c.Reason != "":
			why = append(why, fmt.Sprintf("container %s exited with %d: %s", c.Name, *c.ExitCode, c.Reason))
		case c.ExitCode != nil:
			why = append(why, fmt.Sprintf("container %s exited with %d", c.Name, *c.ExitCode))
		case c.Reason != "":
			why = append(why, fmt.Sprintf("container %s: %s", c.Name, c.Reason))
		}
	}
	if len(why) > 0 {
		line += ": " + strings.Join(why, "; ")
	}
	return line
}

const mostTasks = 5

// text is the whole story of a release that failed, for a person.
func (o *Outcome) text(version string, now Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s does not serve: %s", o.Service, version, o.Message)
	switch {
	case placeholder(now.Value):
		b.WriteString("\nit waits for its first release again")
	case o.Result == RolledBack:
		fmt.Fprintf(&b, "\nECS rolled it back: %s runs", now.name())
	case o.Now != "":
		fmt.Fprintf(&b, "\nit was put back: %s", now.name())
	}
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s\n  %s", title, strings.Join(lines, "\n  "))
		}
	}
	var tasks []string
	for _, t := range o.Tasks[max(0, len(o.Tasks)-mostTasks):] {
		tasks = append(tasks, t.String())
	}
	if n := len(o.Tasks) - len(tasks); n > 0 {
		tasks = append(tasks, fmt.Sprintf("and %d before them", n))
	}
	list("tasks of it:", tasks)
	list("the end of a task's log:", o.Log)
	list("in alarm:", o.Alarms)
	list("what the service says:", o.Events)
	return b.String()
}

// report sends the metrics. That they fail is worth a line, and no verdict.
func (d *deployer) report(ctx context.Context, serves bool) {
	m := measures{
		Serves: serves, Seconds: d.outcome.Seconds,
		RolledBack: d.outcome.Result == RolledBack || d.outcome.Now != "" || d.left != "",
	}
	if serves && !d.image.Committed.IsZero() && d.left == "" {
		m.LeadSeconds = d.now().Sub(d.image.Committed).Seconds()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if d.back || serves && !d.standing {
		if history, err := d.world.history(ctx); err == nil {
			m.RestoreSeconds = recovery(history, d.down, d.now()).Seconds()
		}
	}
	if err := d.measure(ctx, m); err != nil {
		d.say("%s: warning: the metrics of this release are lost: %v", d.service, err)
	}
}

// person is the part of an ARN that names somebody.
func person(arn string) string {
	return strings.TrimPrefix(arn[strings.LastIndexAny(arn, "/:")+1:], "operate-")
}
