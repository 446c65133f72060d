package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// fill writes messages into the outbox and returns their ids.
func (s *shop) fill(t *testing.T, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		id := uuid.NewString()
		s.exec(t, `INSERT INTO outbox (message_id, kind, body, request_id)
			VALUES ($1, 'order-placed', jsonb_build_object('id', $2::text, 'kind', 'order-placed'), 'r')`, id, id)
		ids = append(ids, id)
	}
	return ids
}

func (s *shop) publishedIDs() []string {
	var ids []string
	for _, p := range s.topic.taken() {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestOutboxIsPublishedInItsOrder(t *testing.T) {
	s := newShop(t)
	ids := s.fill(t, 23)
	k := s.task(t)
	for _, want := range []int{10, 10, 3, 0} {
		if n, err := k.relay.publish(t.Context()); n != want || err != nil {
			t.Errorf("%d were published (%v): want %d", n, err, want)
		}
	}
	if diff := cmp.Diff(ids, s.publishedIDs()); diff != "" {
		t.Error(diff)
	}
}

func TestTwoRelaysPublishEachMessageOnce(t *testing.T) {
	s := newShop(t)
	ids := s.fill(t, 95)
	s.topic.delay = 5 * time.Millisecond
	var all sync.WaitGroup
	for range 3 {
		k := s.task(t)
		all.Go(func() {
			for {
				n, err := k.relay.publish(t.Context())
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	count := map[string]int{}
	for _, id := range s.publishedIDs() {
		count[id]++
	}
	for _, id := range ids {
		if count[id] != 1 {
			t.Errorf("%s was published %d times", id, count[id])
		}
	}
}

func TestWhatTheTopicDidNotTakeIsPublishedLater(t *testing.T) {
	s := newShop(t)
	ids := s.fill(t, 3)
	k := s.task(t)
	s.topic.refuse = func(id string) bool { return id == ids[1] }
	if _, err := k.relay.publish(t.Context()); err == nil {
		t.Error("no error")
	}
	s.topic.refuse = func(string) bool { return true }
	if _, err := k.relay.publish(t.Context()); err == nil {
		t.Error("no error")
	}
	s.topic.refuse = nil
	if n, err := k.relay.publish(t.Context()); n != 1 || err != nil {
		t.Errorf("%d were published (%v): want the one that is left", n, err)
	}
	if diff := cmp.Diff([]string{ids[0], ids[2], ids[1]}, s.publishedIDs()); diff != "" {
		t.Error(diff)
	}
}

func TestOutboxWaitsWhileTheTopicIsAway(t *testing.T) {
	s := newShop(t)
	s.fill(t, 3)
	k := s.task(t)
	s.topic.Close()
	if _, err := k.relay.publish(t.Context()); err == nil {
		t.Error("no error")
	}
	if n := s.number(t, "SELECT count(*) FROM outbox WHERE published_at IS NULL"); n != 3 {
		t.Errorf("%d wait: want all", n)
	}
}

// The task dies when the topic has the messages and the outbox does not know: they are published again, with the same ids.
func TestTaskThatDiesBeforeItsCommitPublishesTwice(t *testing.T) {
	s := newShop(t)
	ids := s.fill(t, 2)
	mend := s.commitsFail(t, "outbox")
	if _, err := s.task(t).relay.publish(t.Context()); err == nil {
		t.Error("no error")
	}
	mend()
	if n, err := s.task(t).relay.publish(t.Context()); n != 2 || err != nil {
		t.Errorf("%d were published (%v): want both again", n, err)
	}
	if diff := cmp.Diff(append(ids, ids...), s.publishedIDs()); diff != "" {
		t.Error(diff)
	}
}

// The answer of the topic is lost.
func TestTaskThatDiesWhilePublishingPublishesTwice(t *testing.T) {
	s := newShop(t)
	ids := s.fill(t, 2)
	ctx, die := context.WithCancel(t.Context())
	s.topic.refuse = func(string) bool { die(); return false }
	if _, err := s.task(t).relay.publish(ctx); err == nil {
		t.Error("no error")
	}
	other := s.task(t)
	eventually(t, "publishing again", func() bool { // once the server has seen that the first has gone
		n, err := other.relay.publish(t.Context())
		return n == 2 && err == nil
	})
	if diff := cmp.Diff(append(ids, ids...), s.publishedIDs()); diff != "" {
		t.Error(diff)
	}
}

func TestOldRowsAreDeleted(t *testing.T) {
	s := newShop(t)
	s.fill(t, 4)
	s.exec(t, "UPDATE outbox SET published_at = now() - interval '8 days' WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 2)")
	s.exec(t, "UPDATE outbox SET published_at = now() - interval '6 days' WHERE id = (SELECT max(id) FROM outbox)")
	s.exec(t, `INSERT INTO outbox (message_id, kind, body, request_id, published_at)
		SELECT gen_random_uuid(), 'order-placed', '{}', 'r', now() - interval '8 days' FROM generate_series(1, 1500)`)
	s.task(t).relay.tidy(t.Context())
	if n := s.number(t, "SELECT count(*) FROM outbox"); n != 2 {
		t.Errorf("%d are left: want the one that waits and the one that is six days old", n)
	}
}
