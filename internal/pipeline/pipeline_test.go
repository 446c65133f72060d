package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/delivery"
	"aws-microservices/internal/github"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// tell is a line for each metric.
func tell(data []datum) []string {
	var lines []string
	for _, d := range data {
		var of []string
		for _, dimension := range d.Dimensions {
			of = append(of, *dimension.Value)
		}
		lines = append(lines, fmt.Sprintf("%s %s %g at %s", strings.Join(of, "/"), *d.MetricName, *d.Value, d.Timestamp.Format(time.TimeOnly)))
	}
	return lines
}

func TestMetricsOfEachJobAndOfAll(t *testing.T) {
	got := tell(metrics("backend", []job{
		{Name: "test", Conclusion: "success", StartedAt: after(0), CompletedAt: after(60)},
		{Name: "build (orders)", Conclusion: "failure", StartedAt: after(30), CompletedAt: after(100)},
	}))
	want := []string{
		"backend/test Runs 1 at 12:01:00", "backend/test Failures 0 at 12:01:00", "backend/test DurationSeconds 60 at 12:01:00",
		"backend/build (orders) Runs 1 at 12:01:40", "backend/build (orders) Failures 1 at 12:01:40",
		"backend/build (orders) DurationSeconds 70 at 12:01:40",
		"backend Runs 1 at 12:01:40", "backend Failures 1 at 12:01:40", "backend DurationSeconds 100 at 12:01:40",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatWasCancelledSaysNothing(t *testing.T) {
	cancelled := job{Name: "deploy", Conclusion: "cancelled", StartedAt: after(0), CompletedAt: after(60)}
	passed := job{Name: "test", Conclusion: "success", StartedAt: after(0), CompletedAt: after(60)}
	failed := job{Name: "lint", Conclusion: "timed_out", StartedAt: after(0), CompletedAt: after(60)}
	of := func(jobs ...job) string { return strings.Join(tell(metrics("w", jobs)), "\n") }
	if got := of(cancelled); got != "" {
		t.Error(got)
	}
	if got := of(cancelled, passed); !strings.Contains(got, "w/test Runs 1") || strings.Contains(got, "w Runs") {
		t.Errorf("a workflow that was cancelled:\n%s", got)
	}
	if got := of(cancelled, failed); !strings.Contains(got, "w Failures 1") || strings.Contains(got, "deploy") {
		t.Errorf("a workflow that failed and was cancelled:\n%s", got)
	}
}

func TestWaitingForAnApprovalIsNotWork(t *testing.T) {
	span := func(from, to int) job { return job{StartedAt: after(from), CompletedAt: after(to)} }
	for _, test := range []struct {
		jobs []job
		want int
	}{
		{[]job{span(0, 10), span(5, 20)}, 20},
		{[]job{span(0, 20), span(5, 10), span(12, 15)}, 20},
		{[]job{span(86400, 86410), span(0, 10)}, 20},
		{[]job{span(10, 5)}, 0}, // a job that never began
		{nil, 0},
	} {
		if got := busy(test.jobs); got != time.Duration(test.want)*time.Second {
			t.Errorf("%v: %s, want %d s", test.jobs, got, test.want)
		}
	}
}

func TestLinesKeepTheirTimes(t *testing.T) {
	text := "\ufeff2026-01-31T12:00:01.1234567Z \x1b[32mok\x1b[0m\r\n" +
		"2026-01-31T12:00:01.1234567Z \n" +
		"2026-01-31T12:00:03.5000000Z token ***\n" +
		"  without a time\n" +
		"2026-01-31T12:00:02.0000000Z out of order, \xff and not UTF-8\n" +
		"2026-01-31T12:00:04.0000000Z the end"
	var got []string
	for _, e := range events(text, noon) {
		got = append(got, time.UnixMilli(*e.Timestamp).UTC().Format("05.000")+"|"+*e.Message)
	}
	want := []string{
		"01.123|\x1b[32mok\x1b[0m", "02.000|out of order, \ufffd and not UTF-8", "03.500|token ***", "03.500|  without a time", "04.000|the end",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if first := events("no time at all", noon); *first[0].Timestamp != noon.UnixMilli() {
		t.Errorf("%v", first)
	}
}

func TestALongLineIsSeveral(t *testing.T) {
	line := strings.Repeat("é", longestLine)
	var whole strings.Builder
	for _, e := range events(line, noon) {
		if len(*e.Message) > longestLine || !utf8.ValidString(*e.Message) {
			t.Errorf("an event of %d bytes", len(*e.Message))
		}
		whole.WriteString(*e.Message)
	}
	if whole.String() != line {
		t.Error("something is lost")
	}
}

func TestBatchesAreWhatCloudWatchTakes(t *testing.T) {
	var all []event
	add := func(n, length int, at time.Time) {
		for range n {
			all = append(all, events(strings.Repeat("x", length), at)...)
		}
	}
	add(10_001, 1, noon)                  // one too many
	add(5, 250_000, after(1))             // more than a MiB
	add(1, 1, after(24*60*60+1))          // a day later
	add(1, 1, after(24*60*60+1+24*60*60)) // and exactly a day later
	sent := 0
	for i, batch := range batches(all) {
		size := 0
		for _, e := range batch {
			size += len(*e.Message) + 26
		}
		if span := *batch[len(batch)-1].Timestamp - *batch[0].Timestamp; len(batch) > 10_000 || size > 1_048_576 || span >= 86_400_000 {
			t.Errorf("batch %d: %d events, %d bytes, %d ms", i, len(batch), size, span)
		}
		sent += len(batch)
	}
	if sent != len(all) || len(batches(all)) != 5 {
		t.Errorf("%d of %d events in %d batches", sent, len(all), len(batches(all)))
	}
	if got := batches(nil); got != nil {
		t.Errorf("nothing gives %v", got)
	}
}

func TestALogThatIsNotThereYetIsWaitedFor(t *testing.T) {
	for missing, want := range map[int]string{0: "ok", 3: "ok", 4: ""} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			r := Reporter{GitHub: func(_ context.Context, _ []byte, args ...string) ([]byte, error) {
				if path := args[len(args)-1]; path != "repos/a/b/actions/jobs/9/logs" {
					t.Errorf("asked for %s", path)
				}
				if calls++; calls <= missing {
					return nil, github.StatusError{Code: 404, Message: "gh: Not Found (HTTP 404)"}
				}
				return []byte("ok"), nil
			}}
			if got, err := r.text(t.Context(), Run{Repository: "a/b"}, job{ID: 9}); got != want || (err == nil) != (want != "") {
				t.Errorf("not there %d times: %q, %v", missing, got, err)
			}
		})
	}
}

func TestTheNamespaceIsTheDashboards(t *testing.T) {
	if namespace != delivery.Namespace {
		t.Errorf("%s, and the dashboard shows %s", namespace, delivery.Namespace)
	}
}

func TestNamesAreOnesThatCloudWatchTakes(t *testing.T) {
	if got, want := plain("build: ü* (orders)"), "build- -- (orders)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
