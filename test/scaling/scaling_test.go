package scaling

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/service"
)

const maxWaitSeconds = 900

// ours is the policy that Terraform gets.
func ours(maxWait int) policy {
	b := service.Backlog{MessageSeconds: messageSeconds, MaxWaitSeconds: maxWait}
	return policy{
		metrics: b.Metrics(), expression: b.Expression(), target: b.Target(),
		outCooldown: service.BacklogScaleOutCooldownSeconds, inCooldown: service.BacklogScaleInCooldownSeconds,
	}
}

// recipe is the one in AWS's documentation: visible messages for each running task, ECS's default cooldowns.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
func recipe(maxWait int) policy {
	return policy{
		metrics: map[string]monitoring.Metric{
			"m1": {Name: "ApproximateNumberOfMessagesVisible"}, "m2": {Name: "RunningTaskCount"},
		},
		expression: "m1 / m2", target: float64(maxWait) / messageSeconds, outCooldown: 300, inCooldown: 300,
	}
}

// late is how many messages waited longer than they may.
func (o outcome) late(maxWait int) int {
	first, _ := slices.BinarySearch(o.waits, maxWait+1)
	return len(o.waits) - first
}

// flaps are the times that tasks were missing within half an hour of being taken away, although arrivals had not risen by
// a fifth meanwhile.
func (o outcome) flaps() int {
	const soon, rise = 30 * 60, 1.2
	n := 0
	for i, s := range o.steps[:max(0, len(o.steps)-1)] {
		next := o.steps[i+1]
		if s.to < s.from && next.to > next.from && next.second-s.second <= soon &&
			o.arrivals(next.second, 10) < rise*o.arrivals(s.second, scaleInMinutes) {
			n++
		}
	}
	return n
}

// arrivals is the mean by minute over some minutes before a second.
func (o outcome) arrivals(second, minutes int) float64 {
	sum := 0
	for _, m := range o.minutes[max(0, second/60-minutes) : second/60] {
		sum += m.sent
	}
	return float64(sum) / float64(minutes)
}

// run is one of the runs of everywhere.
type run struct {
	load
	maxWait int
	outcome
	// name says which it is.
	name string
}

// everywhere is each load with three waits, in both worlds, three times.
var everywhere = sync.OnceValue(func() []run {
	var runs []run
	for _, l := range loads() {
		for _, maxWait := range []int{600, 900, 1800} {
			for name, w := range map[string]world{"slow": slow, "fast": fast} {
				for seed := range uint64(3) {
					runs = append(runs, run{
						load: l, maxWait: maxWait, outcome: simulate(ours(maxWait), w, l, seed+1),
						name: fmt.Sprintf("%s, %d s, a %s world, seed %d", l.name, maxWait, name, seed+1),
					})
				}
			}
		}
	}
	return runs
})

func TestNoMessageWaitsLongerThanItMay(t *testing.T) {
	for _, r := range everywhere() {
		if n := r.late(r.maxWait); n > 0 {
			t.Errorf("%s: %d of %d messages were late, up to %d s", r.name, n, len(r.waits), r.waits[len(r.waits)-1])
		}
	}
}

func TestTasksAreNotTakenAwayToBeMissedSoonAfter(t *testing.T) {
	total := 0
	for _, r := range everywhere() {
		n := r.flaps()
		if n > 0 {
			t.Logf("%s: %d times: %v", r.name, n, r.steps)
		}
		total += n
	}
	if most := len(everywhere()) / 100; total > most {
		t.Errorf("%d times in %d runs: docs/scaling.md says at most one in a hundred", total, len(everywhere()))
	}
}

func TestTasksReturnToTheFewest(t *testing.T) {
	for _, r := range everywhere() {
		last := r.minutes[len(r.minutes)-1]
		if r.load.name == "stop" && (last.desired != r.minTasks || last.running != r.minTasks) {
			t.Errorf("%s: four hours after the end %d tasks are desired and %d run", r.name, last.desired, last.running)
		}
	}
}

func TestTasksStayWithinTheirBounds(t *testing.T) {
	for _, r := range everywhere() {
		for _, s := range r.steps {
			if s.to < r.minTasks || s.to > r.maxTasks {
				t.Errorf("%s: %d tasks", r.name, s.to)
			}
		}
	}
}

func TestTheLargestBurstThatIsKept(t *testing.T) {
	const most = 50
	burst := func(times float64) int {
		l := load{
			name: "burst", perMinute: make([]int, 4*60), seconds: messageSeconds, minTasks: 1, maxTasks: most,
			// docs/scaling.md states it: MaxTasks * (MaxWaitSeconds - 420) / MessageSeconds.
			atOnce: map[int]int{3600: int(times * most * (maxWaitSeconds - 420) / messageSeconds)},
		}
		return simulate(ours(maxWaitSeconds), slow, l, 1).late(maxWaitSeconds)
	}
	if n := burst(1); n > 0 {
		t.Errorf("%d messages of it were late", n)
	}
	if n := burst(1.5); n == 0 {
		t.Error("half as many more were in time too: the bound is not one")
	}
}

func TestMessagesThatTakeLongerThanStatedAreStillInTime(t *testing.T) {
	for _, l := range loads() {
		if l.atOnce != nil {
			continue // a burst needs its stated time
		}
		l.seconds *= 1.3
		if o := simulate(ours(maxWaitSeconds), slow, l, 1); o.late(maxWaitSeconds) > 0 {
			t.Errorf("%s: %d late", l.name, o.late(maxWaitSeconds))
		}
	}
}

func TestRecipeOfAWSIsLateOrFlaps(t *testing.T) {
	for _, l := range loads() {
		if o := simulate(recipe(maxWaitSeconds), slow, l, 1); o.late(maxWaitSeconds) == 0 && o.flaps() == 0 {
			t.Errorf("%s: in time and steady: the comparison in docs/scaling.md is not true", l.name)
		}
	}
}

func TestSimulationIsRepeatable(t *testing.T) {
	l := loads()[0]
	if a, b := simulate(ours(maxWaitSeconds), slow, l, 1), simulate(ours(maxWaitSeconds), slow, l, 1); !slices.Equal(a.waits, b.waits) {
		t.Error("two runs differ")
	}
}
