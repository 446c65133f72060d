package main

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// interval is how often work is looked for that nobody rang for: another task's, left behind or due again.
	interval = 2 * time.Second
	// mostPause is how long a loop pauses at most after it failed again and again.
	mostPause = 30 * time.Second
)

// bell wakes a loop that looks for work.
type bell struct{ rung chan struct{} }

// newBell is for so many loops to wait at.
func newBell(loops int) *bell { return &bell{make(chan struct{}, loops)} }

// ring wakes one loop, or lets the next one that waits go on at once.
func (b *bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default: // all are awake, and will look once more
	}
}

// wait returns when somebody rings, and about every two seconds anyhow. It returns false when the context has ended.
func (b *bell) wait(ctx context.Context) bool {
	timer := time.NewTimer(jitter(interval))
	defer timer.Stop()
	select {
	case <-b.rung:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// pause waits after so many failures in a row, twice as long each time. It returns false when the context has ended.
func pause(ctx context.Context, failures int) bool {
	timer := time.NewTimer(backoff(failures, time.Second, mostPause))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// backoff doubles with each failure, from least to most.
func backoff(failures int, least, most time.Duration) time.Duration {
	d := least
	for i := 1; i < failures && d < most; i++ {
		d *= 2
	}
	return jitter(min(d, most))
}

// jitter is between half of it and one and a half, so that tasks that were started together do not go on together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }
