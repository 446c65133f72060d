package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryLineHasWhatTheContextCarries(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, "orders")
	ctx := With(WithRequestID(t.Context(), "r-1"), slog.String("message_id", "m-1"))
	log.With("status", 200).InfoContext(ctx, "done", "bytes", 5)

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	when, err := time.Parse(time.RFC3339Nano, line["time"].(string))
	if err != nil || when.Location() != time.UTC {
		t.Errorf("the time is %v (%v), want UTC", line["time"], err)
	}
	delete(line, "time")
	want := map[string]any{
		"level": "INFO", "msg": "done", "service": "orders", "version": "dev", "status": 200.0, "bytes": 5.0,
		"request_id": "r-1", "message_id": "m-1",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Error(diff)
	}
}

func TestContextsDoNotShareAttributes(t *testing.T) {
	parent := With(t.Context(), slog.String("a", "1"))
	first, second := With(parent, slog.String("b", "1")), With(parent, slog.String("c", "2"))
	var out bytes.Buffer
	log := New(&out, "orders")
	log.InfoContext(first, "x")
	log.InfoContext(second, "x")
	lines := strings.Split(out.String(), "\n")
	if strings.Contains(lines[0], `"c"`) || strings.Contains(lines[1], `"b"`) {
		t.Errorf("mixed up:\n%s", out.String())
	}
}

func TestKeepRequestID(t *testing.T) {
	for _, good := range []string{"a", "Root=1-67891233-abcdef012345678912345678", "0b1c/2", strings.Repeat("x", 128)} {
		if got := KeepRequestID(good); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
	seen := map[string]bool{}
	for _, bad := range []string{"", "a b", "a\nb", `a"b`, "é", strings.Repeat("x", 129)} {
		got := KeepRequestID(bad)
		if got == bad || len(got) < 20 || seen[got] {
			t.Errorf("%q became %q, want a new id", bad, got)
		}
		seen[got] = true
	}
}
