package release

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	smithy "github.com/aws/smithy-go"
)

// model is a service that behaves as ECS does, a look at a time.
type model struct {
	entries   []Entry
	all       []fakeRevision
	service   state
	completed string // the revision that a rollback goes to
	clock     time.Time

	// behaves is what becomes of an image: good if it is not named.
	behaves map[string]behaviour
	// noRollback is a circuit breaker that leaves a deployment that failed.
	noRollback bool
	suspended  bool
	scalable   bool
	tasks      map[string][]Task
	lines      map[string][]string
	alarms     []string
	measured   []measures
	noMetrics  error

	// done are the changes made, in order. After so many as killAfter everything fails, as when the process is killed.
	done      []string
	killAfter int
	// between runs before the change of the name, as another release would.
	between map[string]func()
	// fails makes the next calls of an operation fail, one error each.
	fails map[string][]error
	looks int
	// onLook changes the world at a look.
	onLook map[int]func()
}

type fakeRevision struct {
	revision
	inactive bool
	// behaves is what becomes of the revision, whatever its image.
	behaves behaviour
}

type behaviour int

const (
	good behaviour = iota
	// crashing fails as often as the circuit breaker lets it.
	crashing
	// hanging neither fails nor completes.
	hanging
)

var errKilled = errors.New("killed")

const repositoryAddress = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/orders"

func image(letter string) string {
	return repositoryAddress + "@sha256:" + strings.Repeat(letter, 64)
}

// newModel runs one version, by the letter of its digest.
func newModel(letter string) *model {
	m := &model{killAfter: -1, clock: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), behaves: map[string]behaviour{}, scalable: true}
	m.all = []fakeRevision{{revision{"arn:aws:ecs:eu-west-1:444455556666:task-definition/shop-dev-orders:1", 1, image(letter)}, false, good}}
	m.entries = []Entry{{Number: 1, Value: repositoryAddress + ":unreleased", Label: Label{Note: "The image orders runs; written by releases"}}}
	m.entries = append(m.entries, Entry{Number: 2, Value: image(letter), Label: Label{Version: "v" + letter}, At: m.clock, By: "arn:x/operate-jane"})
	m.completed = m.all[0].ARN
	m.service = state{Status: "ACTIVE", Desired: 2, Running: 2, RollsBack: true, Deployments: []deployment{
		{ID: "ecs-svc/1", Status: "PRIMARY", Revision: m.completed, Rollout: completedRollout, Desired: 2, Running: 2, Created: m.clock},
	}}
	return m
}

// call is what every operation begins with.
func (m *model) call(name string, change bool) error {
	if m.killAfter >= 0 && len(m.done) >= m.killAfter {
		return errKilled
	}
	if run := m.between[name]; run != nil {
		delete(m.between, name)
		run()
	}
	if failures := m.fails[name]; len(failures) > 0 {
		m.fails[name] = failures[1:]
		if failures[0] != nil {
			return failures[0]
		}
	}
	if change {
		m.done = append(m.done, name)
	}
	return nil
}

func (m *model) history(context.Context) ([]Entry, error) {
	return slices.Clone(m.entries), m.call("history", false)
}

func (m *model) write(_ context.Context, value string, label Label) (int64, error) {
	if err := m.call("write", true); err != nil {
		return 0, err
	}
	return m.append(value, label), nil
}

func (m *model) append(value string, label Label) int64 {
	number := int64(len(m.entries) + 1)
	m.entries = append(m.entries, Entry{Number: number, Value: value, Label: label, At: m.clock, By: "arn:x/operate-jane"})
	return number
}

func (m *model) newest(ctx context.Context) (revision, error) {
	all, err := m.revisions(ctx)
	if err != nil {
		return revision{}, err
	}
	return all[0], nil
}

func (m *model) revisions(context.Context) ([]revision, error) {
	var all []revision
	for _, r := range slices.Backward(m.all) {
		if !r.inactive {
			all = append(all, r.revision)
		}
	}
	return all, m.call("revisions", false)
}

func (m *model) revision(_ context.Context, arn string) (revision, error) {
	for _, r := range m.all {
		if r.ARN == arn {
			return r.revision, m.call("revision", false)
		}
	}
	return revision{}, fmt.Errorf("no revision %s", arn)
}

func (m *model) register(_ context.Context, from revision, image string) (revision, error) {
	if err := m.call("register", true); err != nil {
		return revision{}, err
	}
	return m.add(image), nil
}

func (m *model) add(image string) revision {
	number := len(m.all) + 1
	r := revision{fmt.Sprintf("arn:aws:ecs:eu-west-1:444455556666:task-definition/shop-dev-orders:%d", number), number, image}
	m.all = append(m.all, fakeRevision{r, false, good})
	return r
}

func (m *model) deregister(_ context.Context, r revision) error {
	if err := m.call("deregister", true); err != nil {
		return err
	}
	for i := range m.all {
		if m.all[i].ARN == r.ARN {
			m.all[i].inactive = true
		}
	}
	return nil
}

func (m *model) update(_ context.Context, r revision, tasks *int, force bool) (string, error) {
	if err := m.call("update", true); err != nil {
		return "", err
	}
	return m.start(r, tasks, force), nil
}

// start is UpdateService.
func (m *model) start(r revision, tasks *int, force bool) string {
	if tasks != nil {
		m.service.Desired = *tasks
	}
	if m.service.primary().Revision == r.ARN && !force {
		return m.service.primary().ID
	}
	for i := range m.service.Deployments {
		m.service.Deployments[i].Status = "ACTIVE"
	}
	id := fmt.Sprintf("ecs-svc/%d", len(m.done)+10*len(m.all))
	m.service.Deployments = append([]deployment{{
		ID: id, Status: "PRIMARY", Revision: r.ARN, Rollout: inProgressRollout, Desired: m.service.Desired, Created: m.clock,
	}}, m.service.Deployments...)
	return id
}

// look lets time pass, and tells.
func (m *model) look(context.Context) (state, error) {
	m.looks++
	if run := m.onLook[m.looks]; run != nil {
		run()
	}
	if err := m.call("look", false); err != nil {
		return state{}, err
	}
	seen := m.service
	seen.Deployments = slices.Clone(m.service.Deployments)
	m.advance()
	return seen, nil
}

func (m *model) advance() {
	m.clock = m.clock.Add(5 * time.Second)
	d := &m.service.Deployments[0]
	for i := range m.service.Deployments {
		if m.service.Deployments[i].Status == "PRIMARY" {
			d = &m.service.Deployments[i]
		}
	}
	if d.Rollout != inProgressRollout {
		return
	}
	var r fakeRevision
	for _, one := range m.all {
		if one.ARN == d.Revision {
			r = one
		}
	}
	d.Desired = m.service.Desired
	switch max(r.behaves, m.behaves[r.Image]) {
	case hanging:
		d.Pending = d.Desired
	case crashing:
		if d.Failed++; d.Failed >= 3 {
			m.fail(d)
		}
	default:
		if d.Running < d.Desired {
			d.Running++
			return
		}
		d.Rollout, d.Pending, d.Reason = completedRollout, 0, "ECS deployment "+d.ID+" completed."
		m.completed = d.Revision
		m.service.Running = d.Running
		m.service.Deployments = []deployment{*d}
	}
}

func (m *model) fail(d *deployment) {
	d.Rollout, d.Reason = failedRollout, "ECS deployment circuit breaker: tasks failed to start."
	m.service.Events = append([]event{{m.clock, fmt.Sprintf("(service orders) (deployment %s) deployment failed: tasks failed to start.", d.ID)}},
		m.service.Events...)
	if m.noRollback || m.completed == d.Revision {
		return
	}
	d.Status = "ACTIVE"
	m.service.Deployments = append([]deployment{{
		ID: d.ID + "0", Status: "PRIMARY", Revision: m.completed, Rollout: inProgressRollout, Desired: m.service.Desired, Created: m.clock,
		Reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.",
	}}, slices.DeleteFunc(m.service.Deployments, func(o deployment) bool { return o.Revision == m.completed })...)
}

func (m *model) waits(context.Context) (waits, scales bool, err error) {
	return m.suspended, m.scalable, m.call("waits", false)
}

func (m *model) rouse(context.Context) error {
	if err := m.call("rouse", true); err != nil {
		return err
	}
	m.suspended = false
	return nil
}

func (m *model) rest(context.Context) error {
	if err := m.call("rest", true); err != nil {
		return err
	}
	m.suspended = true
	return nil
}

func (m *model) stopped(_ context.Context, r revision, _ time.Time) ([]Task, error) {
	return m.tasks[r.Image], m.call("stopped", false)
}

func (m *model) sick(context.Context, revision) ([]Task, error) { return nil, m.call("sick", false) }

func (m *model) log(_ context.Context, t Task) ([]string, error) {
	return m.lines[t.ID], m.call("log", false)
}

func (m *model) alarming(context.Context, []string) ([]string, error) {
	return m.alarms, m.call("alarming", false)
}

func (m *model) measure(_ context.Context, data measures) error {
	if err := m.call("measure", false); err != nil {
		return err
	}
	m.measured = append(m.measured, data)
	return m.noMetrics
}

func (m *model) now() time.Time             { return m.clock }
func (m *model) pause(context.Context, int) {}

// Errors that pass by themselves.
var (
	throttled = &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	lost      = &net.OpError{Op: "read", Net: "tcp", Err: errConnection{}}
)

type errConnection struct{}

func (errConnection) Error() string   { return "connection reset by peer" }
func (errConnection) Timeout() bool   { return true }
func (errConnection) Temporary() bool { return true }
