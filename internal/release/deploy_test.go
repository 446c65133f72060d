package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// release is one run of the program on the model.
type run struct {
	*deployer
	said strings.Builder
}

func (m *model) release(letter string, more ...func(*deployer)) *run {
	r := &run{}
	r.deployer = &deployer{
		world: m, service: "orders", environment: "dev", longRunning: true, tasks: 2, outcome: &Outcome{Service: "orders"},
		say: func(format string, args ...any) { fmt.Fprintf(&r.said, format+"\n", args...) },
	}
	r.choose(Image{Version: "v" + letter, Commit: strings.Repeat(letter, 40), Reference: image(letter)})
	for _, change := range more {
		change(r.deployer)
	}
	return r
}

func back(m *model) func(*deployer) {
	return func(d *deployer) { d.goesBackFrom(m.entries) }
}

func force(d *deployer) { d.force = true }

// agrees fails unless ledger, newest revision and service all say the image.
func (m *model) agrees(t *testing.T, image string) {
	t.Helper()
	newest, _ := m.newest(context.Background())
	running, _ := m.revision(context.Background(), m.service.primary().Revision)
	if now := last(m.entries); now.Value != image || newest.Image != image || running.Image != image || newest.ARN != running.ARN {
		t.Errorf("the ledger says %s, the newest revision %s (%s), the service runs %s (%s); want %s everywhere",
			short(now.Value), short(newest.Image), tail(newest.ARN), short(running.Image), tail(running.ARN), short(image))
	}
}

func wants(t *testing.T, err error, code int, texts ...string) {
	t.Helper()
	if got := ExitCode(err); got != code {
		t.Errorf("exit code %d, want %d: %v", got, code, err)
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q in it", err, text)
		}
	}
}

func TestAReleaseServes(t *testing.T) {
	m := newModel("a")
	r := m.release("b", func(d *deployer) { d.image.Committed = m.clock.Add(-time.Hour) })
	wants(t, r.run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
	if want := []string{"write", "register", "update"}; !slices.Equal(m.done, want) {
		t.Errorf("did %q, want %q: the ledger ahead of all else", m.done, want)
	}
	if now := last(m.entries); now.Version != "vb" || now.Commit != strings.Repeat("b", 40) {
		t.Errorf("the ledger says %+v", now)
	}
	if len(m.measured) != 1 || !m.measured[0].Serves || m.measured[0].Seconds <= 0 || m.measured[0].LeadSeconds <= 3600 {
		t.Errorf("measured %+v", m.measured)
	}
	if o := r.outcome; o.Result != Serves || o.Revision != "shop-dev-orders:2" || o.Deployment == "" || o.Message != "2 of 2 tasks run it" {
		t.Errorf("outcome %+v", o)
	}
	for _, line := range []string{"0 of 2 tasks run\n", "1 of 2 tasks run\n", "vb serves: 2 of 2 tasks run it"} {
		if !strings.Contains(r.said.String(), line) {
			t.Errorf("no %q in\n%s", line, r.said.String())
		}
	}
}

func TestAReleaseOfWhatServesChangesNothing(t *testing.T) {
	m := newModel("a")
	wants(t, m.release("a").run(t.Context()), ExitServes)
	if len(m.done) > 0 {
		t.Errorf("did %q", m.done)
	}
}

func TestAReleaseThatFailsIsTakenBack(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")] = crashing
	m.tasks = map[string][]Task{image("b"): {{
		ID: "0123456789abcdef", StopCode: "EssentialContainerExited", Reason: "Essential container in task exited",
		Containers: []Container{{Name: "orders", ExitCode: aws.Int(3)}},
	}}}
	m.lines = map[string][]string{"0123456789abcdef": {"panic: no configuration"}}
	m.alarms = []string{"shop-dev-orders-errors: Threshold Crossed"}
	r := m.release("b")
	wants(t, r.run(t.Context()), ExitFailed,
		"orders: vb does not serve: ECS deployment circuit breaker: tasks failed to start.", "ECS rolled it back: va runs",
		"01234567 stopped (EssentialContainerExited): Essential container in task exited; container orders exited with 3",
		"panic: no configuration", "shop-dev-orders-errors: Threshold Crossed", "deployment failed: tasks failed to start.")
	m.agrees(t, image("a"))
	now := last(m.entries)
	if now.Version != "va" || now.RolledBack != image("b") || !strings.HasPrefix(now.Note, "vb was rolled back: ECS deployment circuit breaker") {
		t.Errorf("the ledger says %+v", now)
	}
	if want := []string{"write", "register", "update", "write", "deregister"}; !slices.Equal(m.done, want) {
		t.Errorf("did %q, want %q", m.done, want)
	}
	if len(m.measured) != 1 || m.measured[0].Serves || !m.measured[0].RolledBack {
		t.Errorf("measured %+v", m.measured)
	}
	if r.outcome.Result != RolledBack || r.outcome.Now != "va" {
		t.Errorf("outcome %+v", r.outcome)
	}
}

func TestWhatECSLeavesIsPutBack(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")], m.noRollback = crashing, true
	r := m.release("b")
	wants(t, r.run(t.Context()), ExitFailed, "orders: vb does not serve", "it was put back: va")
	m.agrees(t, image("a"))
	if m.service.RollsBack = false; m.service.primary().Rollout != completedRollout {
		t.Errorf("the service is %+v", m.service)
	}
}

func TestTheFirstReleaseStartsTheService(t *testing.T) {
	for name, scalable := range map[string]bool{"with autoscaling": true, "of a fixed size": false} {
		t.Run(name, func(t *testing.T) {
			m := waitingModel(scalable)
			wants(t, m.release("b").run(t.Context()), ExitServes)
			m.agrees(t, image("b"))
			if m.service.Desired != 2 || m.suspended {
				t.Errorf("%d tasks are wanted, autoscaling suspended: %t", m.service.Desired, m.suspended)
			}
		})
	}
}

// waitingModel is a service that waits for its first release.
func waitingModel(scalable bool) *model {
	m := newModel("a")
	placeholder := repositoryAddress + ":unreleased"
	m.entries, m.all[0].Image, m.suspended, m.scalable = m.entries[:1], placeholder, scalable, scalable
	m.service.Desired, m.service.Running = 0, 0
	m.service.Deployments[0].Desired, m.service.Deployments[0].Running = 0, 0
	return m
}

func TestAFirstReleaseThatFailsWaitsAgain(t *testing.T) {
	for name, noRollback := range map[string]bool{"rolled back by ECS": false, "left by ECS": true} {
		t.Run(name, func(t *testing.T) {
			m := waitingModel(true)
			m.behaves[image("b")], m.noRollback = crashing, noRollback
			m.behaves[repositoryAddress+":unreleased"] = crashing
			wants(t, m.release("b").run(t.Context()), ExitFailed, "orders: vb does not serve", "it waits for its first release again")
			m.agrees(t, repositoryAddress+":unreleased")
			if m.service.Desired != 0 || !m.suspended {
				t.Errorf("%d tasks are wanted, autoscaling suspended: %t", m.service.Desired, m.suspended)
			}
		})
	}
}

func TestAJobsReleaseIsTheNewestRevision(t *testing.T) {
	m := newModel("a")
	wants(t, m.release("b", func(d *deployer) { d.longRunning = false }).run(t.Context()), ExitServes)
	newest, _ := m.newest(t.Context())
	if newest.Image != image("b") || last(m.entries).Value != image("b") || m.looks > 0 {
		t.Errorf("newest %+v, the ledger says %+v", newest, last(m.entries))
	}
}

// --- how long a failure lasts

func TestAFailureEndsWithWhatServesNext(t *testing.T) {
	// restored is what the run measured, as the entry of the ledger since when the service was not well.
	restored := func(t *testing.T, m *model) int64 {
		t.Helper()
		now := m.measured[len(m.measured)-1].RestoreSeconds
		if now == 0 {
			return 0
		}
		for _, e := range slices.Backward(m.entries) {
			if m.clock.Sub(e.At).Seconds() == now {
				return e.Number
			}
		}
		t.Errorf("%g s is since no entry of %+v", now, m.entries)
		return -1
	}
	check := func(t *testing.T, m *model, r *run, code int, since int64) {
		t.Helper()
		wants(t, r.run(t.Context()), code)
		if got := restored(t, m); got != since {
			t.Errorf("restored since entry %d, want %d", got, since)
		}
		m.clock = m.clock.Add(time.Hour) // so that every entry has a time of its own
	}
	t.Run("a release of another version is none", func(t *testing.T) {
		m := newModel("a")
		m.clock = m.clock.Add(time.Hour)
		check(t, m, m.release("b"), ExitServes, 0)
		check(t, m, m.release("b"), ExitServes, 0)
	})
	t.Run("what ECS goes back to", func(t *testing.T) {
		m := newModel("a")
		m.clock = m.clock.Add(time.Hour)
		m.behaves[image("b")] = crashing
		check(t, m, m.release("b"), ExitFailed, 3)
		check(t, m, m.release("a"), ExitServes, 0)
		check(t, m, m.release("c"), ExitServes, 0)
	})
	t.Run("what is put back", func(t *testing.T) {
		m := newModel("a")
		m.clock = m.clock.Add(time.Hour)
		m.behaves[image("b")], m.noRollback = crashing, true
		check(t, m, m.release("b"), ExitFailed, 3)
	})
	t.Run("what a person goes back to", func(t *testing.T) {
		m := newModel("a")
		m.clock = m.clock.Add(time.Hour)
		check(t, m, m.release("b"), ExitServes, 0)
		check(t, m, m.release("a", back(m)), ExitServes, 3)
		check(t, m, m.release("a", back(m)), ExitServes, 0)
	})
	t.Run("the next release, where nothing ran before", func(t *testing.T) {
		m := firstCrashing()
		m.clock = m.clock.Add(time.Hour)
		check(t, m, m.release("b"), ExitFailed, 0)
		check(t, m, m.release("c"), ExitServes, 2)
	})
	t.Run("the next release, where what ran before fails too", func(t *testing.T) {
		m := newModel("a")
		m.clock = m.clock.Add(time.Hour)
		m.behaves[image("b")], m.noRollback = crashing, true
		wants(t, m.release("b").run(t.Context()), ExitFailed)
		m.service.Running, m.service.Deployments[0].Running = 0, 0
		m.clock = m.clock.Add(time.Hour)
		check(t, m, m.release("c"), ExitServes, 3)
	})
	t.Run("what a job is rolled back to", func(t *testing.T) {
		m := newModel("a")
		job := func(d *deployer) { d.longRunning = false }
		m.clock = m.clock.Add(time.Hour)
		check(t, m, m.release("b", job), ExitServes, 0)
		check(t, m, m.release("a", back(m), job), ExitServes, 3)
		check(t, m, m.release("a", job), ExitServes, 0)
	})
}

// --- killed, and run again

// A process that is killed after any of its changes leaves something; the same command run again ends as if nothing had been.
func TestAReleaseRunAgainAfterItWasKilledEndsTheSame(t *testing.T) {
	for name, test := range map[string]struct {
		make func() *model
		end  string
		code int
	}{
		"good":             {func() *model { return newModel("a") }, image("b"), ExitServes},
		"crashing":         {func() *model { m := newModel("a"); m.behaves[image("b")] = crashing; return m }, image("a"), ExitFailed},
		"crashing, left":   {func() *model { m := newModel("a"); m.behaves[image("b")], m.noRollback = crashing, true; return m }, image("a"), ExitFailed},
		"first":            {func() *model { return waitingModel(true) }, image("b"), ExitServes},
		"first, fixed":     {func() *model { return waitingModel(false) }, image("b"), ExitServes},
		"first, crashing":  {firstCrashing, repositoryAddress + ":unreleased", ExitFailed},
		"after one failed": {afterFailure, image("c"), ExitServes},
	} {
		t.Run(name, func(t *testing.T) {
			letter := "b"
			if test.end == image("c") {
				letter = "c"
			}
			whole := test.make()
			wants(t, whole.release(letter).run(t.Context()), test.code)
			whole.agrees(t, test.end)
			for n := range len(whole.done) + 1 {
				for _, meanwhile := range []int{0, 30} {
					m := test.make()
					m.killAfter = n
					if err := m.release(letter).run(t.Context()); !errors.Is(err, errKilled) {
						if n == len(whole.done) {
							continue // there was nothing left to do
						}
						t.Fatalf("killed after %d changes: %v", n, err)
					}
					m.killAfter = -1
					for range meanwhile {
						m.advance()
					}
					wants(t, m.release(letter).run(t.Context()), test.code)
					m.agrees(t, test.end)
					if m.suspended != (test.end == repositoryAddress+":unreleased") {
						t.Errorf("autoscaling suspended: %t", m.suspended)
					}
					if t.Failed() {
						t.Fatalf("killed after %d changes, %d steps later run again; changes: %q", n, meanwhile, m.done)
					}
				}
			}
		})
	}
}

func firstCrashing() *model {
	m := waitingModel(true)
	m.behaves[image("b")], m.noRollback = crashing, true
	return m
}

// afterFailure is what a release leaves that was killed while it failed.
func afterFailure() *model {
	m := newModel("a")
	m.behaves[image("b")] = crashing
	m.killAfter = 3
	_ = m.release("b").run(context.Background())
	m.killAfter = -1
	for range 20 {
		m.advance()
	}
	m.done = nil
	return m
}

func TestARollbackRunAgainAfterItWasKilledGoesToTheSameImage(t *testing.T) {
	for n := range 3 {
		m := newModel("a")
		wants(t, m.release("b").run(t.Context()), ExitServes)
		wants(t, m.release("c").run(t.Context()), ExitServes)
		rollback := func() error {
			to, err := destination(m.entries, m.imageOf(m.service.primary().Revision), "")
			if err != nil || to.Value != image("b") {
				t.Fatalf("killed after %d changes: goes to %s, want b: %v", n, short(to.Value), err)
			}
			return m.release("b", back(m)).run(t.Context())
		}
		m.killAfter = len(m.done) + n
		if err := rollback(); !errors.Is(err, errKilled) {
			t.Fatalf("killed after %d changes: %v", n, err)
		}
		m.killAfter = -1
		wants(t, rollback(), ExitServes)
		m.agrees(t, image("b"))
		if now := last(m.entries); now.RolledBack != image("c") || now.Note != "rolled back from vc" || now.Version != "vb" {
			t.Errorf("the ledger says %+v", now)
		}
		if to, err := destination(m.entries, image("b"), ""); err != nil || to.Value != image("a") {
			t.Errorf("the next rollback goes to %+v: %v", to, err)
		}
	}
}

func (m *model) imageOf(arn string) string {
	for _, r := range m.all {
		if r.ARN == arn {
			return r.Image
		}
	}
	return ""
}

// --- what AWS does meanwhile

func TestThrottlingAndLostConnectionsAreWaitedFor(t *testing.T) {
	whole := newModel("a")
	wants(t, whole.release("b").run(t.Context()), ExitServes)
	for _, operation := range []string{"look", "revision", "waits", "history", "write", "revisions", "register", "update"} {
		m := newModel("a")
		m.fails = map[string][]error{operation: {throttled, lost, nil, throttled, lost}}
		r := m.release("b")
		wants(t, r.run(t.Context()), ExitServes)
		m.agrees(t, image("b"))
		if !strings.Contains(r.said.String(), "AWS does not answer") {
			t.Errorf("%s: it does not say why it waits:\n%s", operation, r.said.String())
		}
	}
}

func TestAStepThatAWSRefusesIsTakenBack(t *testing.T) {
	denied := errors.New("AccessDeniedException: no")
	for _, operation := range []string{"register", "update"} {
		m := newModel("a")
		m.fails = map[string][]error{operation: {denied}}
		wants(t, m.release("b").run(t.Context()), ExitFailed, "AccessDeniedException: no", "the ledger says va")
		m.agrees(t, image("a"))
	}
}

func TestAStepThatAWSRefusesAfterAKilledRunIsTakenBackToo(t *testing.T) {
	m := newModel("a")
	m.killAfter = 2
	_ = m.release("b").run(t.Context())
	m.killAfter = -1
	m.fails = map[string][]error{"update": {errors.New("AccessDeniedException: no")}}
	wants(t, m.release("b").run(t.Context()), ExitFailed, "AccessDeniedException: no", "the ledger says va")
	m.agrees(t, image("a"))
}

func TestWhatAWSRefusesBeforeAnythingWasChangedIsARefusal(t *testing.T) {
	for _, operation := range []string{"look", "revision", "waits", "history", "write"} {
		m := newModel("a")
		m.fails = map[string][]error{operation: {errors.New("AccessDeniedException: no")}}
		wants(t, m.release("b").run(t.Context()), ExitRefused, "AccessDeniedException: no", "nothing was changed")
		if len(m.done) > 0 || len(m.measured) > 0 {
			t.Errorf("%s: did %q, measured %+v", operation, m.done, m.measured)
		}
	}
}

func TestAJobsReleaseThatAWSRefusesIsTakenBack(t *testing.T) {
	m := newModel("a")
	m.fails = map[string][]error{"register": {errors.New("AccessDeniedException: no")}}
	wants(t, m.release("b", func(d *deployer) { d.longRunning = false }).run(t.Context()), ExitFailed, "AccessDeniedException: no")
	m.agrees(t, image("a"))
}

func TestLookingThatIsRefusedLeavesTheDeployment(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){5: func() { m.fails = map[string][]error{"look": {errors.New("ExpiredTokenException: old")}} }}
	wants(t, m.release("b").run(t.Context()), ExitUnfinished, "ExpiredTokenException", "it goes on", "./deploy.sh deploy dev orders vb")
	wants(t, m.release("b").run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
}

func TestTheWaitingEnds(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")] = hanging
	ctx, cancel := context.WithCancelCause(t.Context())
	m.onLook = map[int]func(){50: func() { cancel(errors.New("waited for 1m")) }}
	r := m.release("b")
	wants(t, r.run(ctx), ExitUnfinished, "waited for 1m", "the deployment goes on", "to carry on: ./deploy.sh deploy dev orders vb")
	if len(m.measured) > 0 {
		t.Errorf("measured %+v, and nothing is decided", m.measured)
	}
	m.behaves[image("b")] = good
	again := m.release("b")
	wants(t, again.run(t.Context()), ExitServes)
	if !strings.Contains(again.said.String(), "being deployed already: following that") {
		t.Errorf("it does not say that it joins:\n%s", again.said.String())
	}
}

func TestMetricsThatFailAreAWarning(t *testing.T) {
	m := newModel("a")
	m.noMetrics = errors.New("AccessDenied")
	r := m.release("b")
	wants(t, r.run(t.Context()), ExitServes)
	if !strings.Contains(r.said.String(), "warning: the metrics of this release are lost: AccessDenied") {
		t.Error(r.said.String())
	}
}

func TestAnUpdateWhoseAnswerWasLostIsDoneOnce(t *testing.T) {
	m := newModel("a")
	m.between = map[string]func(){"update": func() {
		m.start(m.all[len(m.all)-1].revision, nil, false)
		m.fails = map[string][]error{"update": {lost}}
	}}
	wants(t, m.release("b").run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
	if m.service.primary().Revision != m.all[1].ARN || len(m.all) != 2 {
		t.Errorf("%d revisions, %+v", len(m.all), m.service.Deployments)
	}
}

// --- somebody else

func TestAServiceThatDeploysIsLeftAlone(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")] = hanging
	m.append(image("b"), Label{Version: "vb"})
	m.start(m.add(image("b")), nil, false)
	wants(t, m.release("c").run(t.Context()), ExitRefused, "is being deployed already", "-force")
	if len(m.done) > 0 {
		t.Errorf("did %q", m.done)
	}
	wants(t, m.release("c", force).run(t.Context()), ExitServes)
	m.agrees(t, image("c"))
}

// other is another release that begins and ends before the operation.
func (m *model) other(letter string) func() {
	return func() {
		m.append(image(letter), Label{Version: "v" + letter})
		m.start(m.add(image(letter)), nil, false)
	}
}

func TestOfTwoReleasesAtOnceOneIsRefused(t *testing.T) {
	for _, operation := range []string{"write", "register"} {
		m := newModel("a")
		m.between = map[string]func(){operation: m.other("c")}
		wants(t, m.release("b").run(t.Context()), ExitRefused)
		for range 10 {
			m.advance()
		}
		m.agrees(t, image("c"))
	}
}

func TestOfTwoReleasesThatCrossTheOneThatServesIsInTheLedger(t *testing.T) {
	m := newModel("a")
	m.between = map[string]func(){"update": m.other("c")}
	wants(t, m.release("b").run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
}

func TestAVersionThatRanBeforeIsNotTakenBack(t *testing.T) {
	m := newModel("a")
	m.append(image("b"), Label{Version: "vb"})
	m.start(m.add(image("b")), nil, false)
	for range 10 {
		m.advance()
	}
	m.service.Running, m.service.Deployments[0].Running = 0, 0
	m.onLook = map[int]func(){}
	for look := 3; look < 20; look++ {
		m.onLook[look] = func() {
			m.tasks = map[string][]Task{image("b"): append(m.tasks[image("b")], Task{ID: fmt.Sprint("task-", look)})}
		}
	}
	wants(t, m.release("b").run(t.Context()), ExitFailed, "its tasks do not stay")
	m.agrees(t, image("b"))
	if len(m.done) > 0 {
		t.Errorf("did %q", m.done)
	}
}

func TestAReleaseThatIsReplacedSaysSo(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){4: m.other("c")}
	r := m.release("b")
	wants(t, r.run(t.Context()), ExitFailed, "vb does not serve", "took its place")
	for range 10 {
		m.advance()
	}
	m.agrees(t, image("c"))
	if r.outcome.Result != Superseded {
		t.Errorf("outcome %+v", r.outcome)
	}
}

func TestWhatServesIsInTheLedgerInTheEnd(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){4: func() { m.append(image("c"), Label{Version: "vc"}) }}
	wants(t, m.release("b").run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
}

func TestWhatRunsIsInTheLedgerInTheEnd(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")] = crashing
	m.onLook = map[int]func(){4: func() { m.append(image("c"), Label{Version: "vc"}) }}
	wants(t, m.release("b").run(t.Context()), ExitFailed, "ECS rolled it back: va runs")
	m.agrees(t, image("a"))
}

func TestAnInterruptAfterTheVerdictLeavesNothingHalfDone(t *testing.T) {
	m := newModel("a")
	m.behaves[image("b")] = crashing
	ctx, interrupt := context.WithCancel(t.Context())
	m.between = map[string]func(){"alarming": interrupt}
	wants(t, m.release("b").run(ctx), ExitFailed, "ECS rolled it back: va runs")
	m.agrees(t, image("a"))
}

func TestAServiceThatIsDeletedMeanwhile(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){4: func() { m.service.Status = "DRAINING" }}
	wants(t, m.release("b").run(t.Context()), ExitFailed, "the service is draining")
}

func TestAServiceScaledToZeroMeanwhileServesWhenItWakes(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){4: func() { m.service.Desired, m.service.Running = 0, 0 }}
	r := m.release("b")
	wants(t, r.run(t.Context()), ExitServes)
	m.agrees(t, image("b"))
	if !strings.Contains(r.outcome.Message, "no task of it is wanted now") {
		t.Errorf("outcome %+v", r.outcome)
	}
}

func TestTasksThatDoNotStayAreNoSuccess(t *testing.T) {
	m := newModel("a")
	m.onLook = map[int]func(){}
	for look := 6; look < 100; look++ {
		m.onLook[look] = func() {
			if d := &m.service.Deployments[0]; m.imageOf(d.Revision) == image("b") {
				d.Rollout, d.Running, m.service.Running = completedRollout, 0, 0
				m.tasks = map[string][]Task{image("b"): append(m.tasks[image("b")], Task{ID: fmt.Sprint("task-", look)})}
			}
		}
	}
	wants(t, m.release("b").run(t.Context()), ExitFailed, "its tasks do not stay", "it was put back: va")
	m.agrees(t, image("a"))
}
