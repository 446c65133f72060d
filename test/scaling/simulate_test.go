// Package scaling plays the scaling of workers against recorded arrivals: a queue, tasks that start and stop, CloudWatch's
// late metrics, Application Auto Scaling's alarms. What it evaluates is what Terraform gets, read from constructs/service.
package scaling

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"

	"aws-microservices/constructs/monitoring"
)

// How Application Auto Scaling tracks a target: it acts after so many minutes in a row above it, or below so much of it.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
const (
	scaleOutMinutes = 3
	scaleInMinutes  = 15
	scaleInBelow    = 0.9
)

// policy is a target tracking policy.
type policy struct {
	metrics                 map[string]monitoring.Metric
	expression              string
	target                  float64
	outCooldown, inCooldown int // in seconds
}

// world is what a policy has to live with, in seconds.
type world struct {
	metricDelay           int // until CloudWatch has a minute's metrics
	startLeast, startMost int // from a task's wish to its first message
	stopTimeout           int // for a task to finish its message after SIGTERM
	visibilityTimeout     int
	maxReceives           int // until a message that fails is a dead letter
	evaluation            int // the second of the minute in which alarms are evaluated
}

// slow is the worst of what AWS states or people see, fast the best.
var (
	slow = world{metricDelay: 120, startLeast: 60, startMost: 90, stopTimeout: 30, visibilityTimeout: 120, maxReceives: 5, evaluation: 30}
	fast = world{metricDelay: 60, startLeast: 30, startMost: 60, stopTimeout: 30, visibilityTimeout: 120, maxReceives: 5, evaluation: 1}
)

// minute is what can be seen of one, at its end.
type minute struct {
	sent, visible, desired, running int
	// oldest is how long the oldest message has waited that nobody has worked on.
	oldest int
}

// step is one change of the desired number of tasks.
type step struct{ second, from, to int }

// outcome is what a policy did with a load.
type outcome struct {
	// waits are each message's seconds until work on it began, ascending.
	waits   []int
	minutes []minute
	steps   []step
	// taskSeconds are paid for: from a task's wish to its end.
	taskSeconds int
}

type message struct {
	sent, receives int
	poison         bool
}

type task struct {
	readyAt, receivedAt, doneAt int
	work                        *message
	stopping                    bool
	killAt                      int
}

// delivery is a message that is visible again at a second.
type delivery struct {
	at int
	*message
}

type deliveries []delivery

func (d deliveries) Len() int           { return len(d) }
func (d deliveries) Less(i, j int) bool { return d[i].at < d[j].at }
func (d deliveries) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deliveries) Push(x any)        { *d = append(*d, x.(delivery)) }
func (d *deliveries) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// simulation is a queue, its tasks, and the time.
type simulation struct {
	world
	load
	outcome

	random  *rand.Rand
	now     int
	queue   []*message
	hidden  deliveries
	tasks   []*task
	desired int
	sent    int // in this minute
	autoscaling
}

// simulate runs a load under a policy, second by second. The same seed gives the same outcome.
func simulate(p policy, w world, l load, seed uint64) outcome {
	s := &simulation{
		world: w, load: l, random: rand.New(rand.NewPCG(seed, seed)), desired: l.minTasks,
		autoscaling: autoscaling{policy: p, share: compile(p.expression), lastOut: math.MinInt32, lastIn: math.MinInt32},
	}
	for range s.desired {
		s.tasks = append(s.tasks, &task{})
	}
	arrivals := map[int]int{}
	for m, n := range l.perMinute {
		for range n {
			arrivals[m*60+s.random.IntN(60)]++
		}
	}
	for second, n := range l.atOnce {
		arrivals[second] += n
	}
	for s.now = 0; s.now < len(l.perMinute)*60; s.now++ {
		s.arrive(arrivals[s.now])
		s.startAndStop()
		s.work()
		if s.now%60 == 59 {
			s.measure()
		}
		if s.now%60 == s.evaluation {
			s.autoscale()
		}
	}
	for _, m := range s.queue { // what still waits has waited this long
		if m.receives == 0 {
			s.waits = append(s.waits, s.now-m.sent)
		}
	}
	slices.Sort(s.waits)
	return s.outcome
}

func (s *simulation) arrive(n int) {
	s.sent += n
	for range n {
		inPoison := s.now/60 >= s.poisonFrom && s.now/60 < s.poisonTo
		s.queue = append(s.queue, &message{sent: s.now, poison: inPoison && s.random.Float64() < s.poison})
	}
	for len(s.hidden) > 0 && s.hidden[0].at <= s.now {
		s.queue = append(s.queue, heap.Pop(&s.hidden).(delivery).message)
	}
}

// startAndStop is ECS: it stops tasks that have not started first, then any.
func (s *simulation) startAndStop() {
	active := slices.DeleteFunc(slices.Clone(s.tasks), func(t *task) bool { return t.stopping })
	for range s.desired - len(active) {
		s.tasks = append(s.tasks, &task{readyAt: s.now + s.startLeast + s.random.IntN(s.startMost-s.startLeast+1)})
	}
	if len(active) <= s.desired {
		return
	}
	s.random.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
	slices.SortStableFunc(active, func(a, b *task) int { return max(b.readyAt, s.now) - max(a.readyAt, s.now) })
	for _, t := range active[:len(active)-s.desired] {
		t.stopping, t.killAt = true, s.now+s.stopTimeout
	}
}

func (s *simulation) work() {
	s.taskSeconds += len(s.tasks)
	s.tasks = slices.DeleteFunc(s.tasks, func(t *task) bool {
		if t.work != nil && t.doneAt <= s.now {
			if t.work.poison && t.work.receives < s.maxReceives {
				heap.Push(&s.hidden, delivery{t.receivedAt + s.visibilityTimeout, t.work})
			}
			t.work = nil
		}
		if t.stopping {
			if t.work != nil && t.killAt <= s.now {
				heap.Push(&s.hidden, delivery{t.receivedAt + s.visibilityTimeout, t.work})
				t.work = nil
			}
			return t.work == nil
		}
		if t.work == nil && t.readyAt <= s.now && len(s.queue) > 0 {
			t.work, s.queue = s.queue[0], s.queue[1:]
			if t.work.receives == 0 {
				s.waits = append(s.waits, s.now-t.work.sent)
			}
			t.work.receives++
			// From half the average to one and a half of it.
			t.receivedAt, t.doneAt = s.now, s.now+max(1, int(math.Round(s.seconds*(0.5+s.random.Float64()))))
		}
		return false
	})
}

// measure is CloudWatch: it samples the minute that ends.
func (s *simulation) measure() {
	m := minute{sent: s.sent, visible: len(s.queue), desired: s.desired}
	for _, t := range s.tasks {
		if !t.stopping && t.readyAt <= s.now {
			m.running++
		}
	}
	for _, waiting := range s.queue {
		if waiting.receives == 0 {
			m.oldest = max(m.oldest, s.now-waiting.sent)
		}
	}
	s.minutes = append(s.minutes, m)
	s.sent = 0

	names := map[string]int{
		"ApproximateNumberOfMessagesVisible": m.visible, "NumberOfMessagesSent": m.sent,
		"DesiredTaskCount": m.desired, "RunningTaskCount": m.running,
	}
	values := map[string]float64{}
	for id, metric := range s.metrics {
		values[id] = float64(names[metric.Name])
	}
	s.tracked = append(s.tracked, s.share(values))
}

// autoscaling is the policy with its alarms.
type autoscaling struct {
	policy
	share           func(metrics map[string]float64) float64
	tracked         []float64 // by minute
	lastOut, lastIn int
	// before is the number of tasks at the last scale-out. Until its cooldown ends, what it added counts as part of the next.
	before int
}

func (s *simulation) autoscale() {
	known := s.tracked[:max(0, (s.now+1-s.metricDelay)/60)]
	coolOut, coolIn := s.now < s.lastOut+s.outCooldown, s.now < s.lastIn+s.inCooldown
	switch {
	case lastOnes(known, scaleOutMinutes, func(v float64) bool { return v > s.target }):
		from := s.desired
		if coolOut {
			from = s.before
		}
		if to := min(s.maxTasks, s.proportional(from, known)); to > s.desired {
			if !coolOut {
				s.before = s.desired
			}
			s.lastOut = s.now
			s.change(to)
		}
	case coolOut || coolIn:
	case lastOnes(known, scaleInMinutes, func(v float64) bool { return v < scaleInBelow*s.target }):
		if to := max(s.minTasks, s.proportional(s.desired, known)); to < s.desired {
			s.lastIn = s.now
			s.change(to)
		}
	}
}

// proportional is the number of tasks that brings the newest value to the target, rounded up.
func (s *simulation) proportional(tasks int, known []float64) int {
	const rounding = 1e-9
	return int(math.Ceil(float64(tasks)*known[len(known)-1]/s.target - rounding))
}

func (s *simulation) change(to int) {
	s.steps = append(s.steps, step{s.now, s.desired, to})
	s.desired = to
}

// lastOnes tells whether the newest n values are there and all meet the condition; no value meets none.
func lastOnes(values []float64, n int, meets func(float64) bool) bool {
	return len(values) >= n && !slices.ContainsFunc(values[len(values)-n:], func(v float64) bool { return !meets(v) })
}
