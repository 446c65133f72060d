package secret

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
)

// manager is a Secrets Manager with one secret.
type manager struct {
	mu     sync.Mutex
	stages map[string]string
	err    error
	delay  time.Duration
	asked  int // for AWSCURRENT
}

func (m *manager) GetSecretValue(
	ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *in.VersionStage == "AWSCURRENT" {
		m.asked++
	}
	select {
	case <-time.After(m.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.err != nil {
		return nil, m.err
	}
	value, ok := m.stages[*in.VersionStage]
	if !ok {
		return nil, &types.ResourceNotFoundException{}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(value)}, nil
}

func (m *manager) rotate(value string) {
	m.stages = map[string]string{"AWSCURRENT": value, "AWSPREVIOUS": m.stages["AWSCURRENT"]}
}

func want(t *testing.T, read func(context.Context) (Values, error), expected Values) {
	t.Helper()
	values, err := read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, values); diff != "" {
		t.Fatal(diff)
	}
}

func TestRotationIsSeenWithinMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{stages: map[string]string{"AWSCURRENT": "one"}}
		s := New(m, "arn")
		want(t, s.Values, Values{Current: "one"})
		m.rotate("two")
		time.Sleep(fresh - time.Second)
		want(t, s.Values, Values{Current: "one"})
		if m.asked != 1 {
			t.Errorf("asked %d times, not once", m.asked)
		}
		time.Sleep(time.Second)
		want(t, s.Values, Values{Current: "two", Previous: "one"})
	})
}

func TestRereadSeesRotationAtOnceButAsksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{stages: map[string]string{"AWSCURRENT": "one"}}
		s := New(m, "arn")
		want(t, s.Values, Values{Current: "one"})
		time.Sleep(again)
		m.rotate("two")
		for range 100 {
			want(t, s.Reread, Values{Current: "two", Previous: "one"})
		}
		if m.asked != 2 {
			t.Errorf("asked %d times, not twice", m.asked)
		}
	})
}

func TestManyAtOnceAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{stages: map[string]string{"AWSCURRENT": "one"}, delay: time.Second}
		s := New(m, "arn")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if v, err := s.Values(t.Context()); err != nil || v.Current != "one" {
					t.Error(v, err)
				}
			})
		}
		all.Wait()
		if m.asked != 1 {
			t.Errorf("asked %d times, not once", m.asked)
		}
	})
}

func TestNobodyWaitsForAnotherWhoReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{stages: map[string]string{"AWSCURRENT": "one"}}
		s := New(m, "arn")
		want(t, s.Values, Values{Current: "one"})
		time.Sleep(fresh)
		m.delay = time.Second
		go s.Values(t.Context()) //nolint:errcheck // it is the one who waits
		synctest.Wait()
		start := time.Now()
		want(t, s.Values, Values{Current: "one"})
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %s", d)
		}
		time.Sleep(3 * time.Second)
	})
}

func TestValueLastsAnHourWithoutSecretsManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{stages: map[string]string{"AWSCURRENT": "one"}}
		s := New(m, "arn")
		want(t, s.Values, Values{Current: "one"})
		m.err = errors.New("away")
		time.Sleep(lasting - time.Second)
		want(t, s.Values, Values{Current: "one"})
		time.Sleep(time.Second)
		if err := s.Check(t.Context()); !errors.Is(err, m.err) {
			t.Errorf("error is %v", err)
		}
		m.err = nil
		time.Sleep(again)
		want(t, s.Values, Values{Current: "one"})
	})
}

func TestFailureIsNotAskedForAgainWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{}
		s := New(m, "arn")
		for range 10 {
			if err := s.Check(t.Context()); !errors.Is(err, ErrNoValue) {
				t.Fatalf("error is %v", err)
			}
		}
		if m.asked != 1 {
			t.Errorf("asked %d times, not once", m.asked)
		}
		time.Sleep(again)
		m.rotate("one")
		want(t, s.Values, Values{Current: "one"})
	})
}

func TestSlowSecretsManagerIsAFailureAfterSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&manager{delay: time.Hour}, "arn")
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go s.Values(t.Context()) //nolint:errcheck // the first one, whom the next waits for
		synctest.Wait()
		if _, err := s.Values(gone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if err := s.Check(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}
