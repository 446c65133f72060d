package planreview_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/planreview"
)

func staleness(t *testing.T, approved, fresh []byte) []string {
	t.Helper()
	_, stack := load(t, "cpu")
	changed, err := planreview.Stale(approved, fresh, planreview.Options{Name: "dev", Stack: stack})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestAPlanIsNotStaleByItself(t *testing.T) {
	for _, name := range plans(t) {
		plan, _ := load(t, name)
		if changed := staleness(t, plan, plan); len(changed) > 0 {
			t.Errorf("%s: %v", name, changed)
		}
	}
}

// The plans in testdata all start from the same state.
func TestRealPlansThatDiffer(t *testing.T) {
	for _, test := range []struct {
		approved, fresh string
		changed         []string
	}{
		{"cpu", "unchanged", []string{"services/payments/service", "services/payments/task-definition"}},
		{"unchanged", "open", []string{"network/endpoint-ingress"}},
		{"key", "unchanged", []string{"frontend/edge-key/alias", "frontend/edge-key/key"}},
		{"sensitive", "unchanged", []string{"services/payments/token"}},
	} {
		approved, _ := load(t, test.approved)
		fresh, _ := load(t, test.fresh)
		if diff := cmp.Diff(test.changed, staleness(t, approved, fresh)); diff != "" {
			t.Errorf("%s then %s: -want +got\n%s", test.approved, test.fresh, diff)
		}
	}
}

// Something happens to the environment between the two plans.
func TestWhatMakesAPlanStale(t *testing.T) {
	const address = "aws_db_instance.databases_shop_instance_0A0A0A0A"
	// change is what the plan does to the database.
	type change = map[string]any
	update := func(before, after map[string]any) change {
		return change{"actions": []string{"update"}, "before": before, "after": after}
	}
	replace := func(before, after, unknown map[string]any) change {
		return change{"actions": []string{"delete", "create"}, "before": before, "after": after, "after_unknown": unknown}
	}
	image := func(tag, cpu string) map[string]any {
		return map[string]any{"container_definitions": `[{"name":"orders","image":"` + tag + `"}]`, "cpu": cpu}
	}
	unknown := map[string]any{"container_definitions": true}
	for _, test := range []struct {
		name            string
		approved, fresh change
		stale           bool
	}{
		{"a release of a service whose task definition is replaced", replace(image("v1", "1"), image("v1", "2"), nil),
			replace(image("v2", "1"), image("v2", "2"), nil), true},
		{"the same, when it is put together during the apply", replace(image("v1", "1"), change{"cpu": "2"}, unknown),
			replace(image("v2", "1"), change{"cpu": "2"}, unknown), true},
		{"more tasks, which Terraform leaves to their scaling", update(change{"desired_count": 2, "a": "x"}, change{"desired_count": 2, "a": "y"}),
			update(change{"desired_count": 5, "a": "x"}, change{"desired_count": 5, "a": "y"}), false},
		{"the value that is changed, in the console", update(change{"cpu": "1"}, change{"cpu": "2"}), update(change{"cpu": "4"}, change{"cpu": "2"}),
			true},
		{"another value, in the console", update(change{"cpu": "1", "a": "x"}, change{"cpu": "2", "a": "x"}),
			update(change{"cpu": "1", "a": "y"}, change{"cpu": "2", "a": "x"}), true},
		{"the same done by hand", update(change{"cpu": "1"}, change{"cpu": "2"}), change{"actions": []string{"no-op"}}, true},
		{"five minutes", replace(change{"a": "x", "t": "2026-11-25T12:00:00Z"}, change{"a": "y"}, change{"t": true}),
			replace(change{"a": "x", "t": "2026-11-25T12:05:00Z"}, change{"a": "y"}, change{"t": true}), false},
		{"another time to set", update(change{"t": "2026-11-25T12:00:00Z"}, change{"t": "2027-01-01T00:00:00Z"}),
			update(change{"t": "2026-11-25T12:00:00Z"}, change{"t": "2027-01-02T00:00:00Z"}), true},
		{"another secret", change{"actions": []string{"update"}, "before": change{"v": "a"}, "after": change{"v": "b"},
			"before_sensitive": change{"v": true}, "after_sensitive": change{"v": true}},
			change{"actions": []string{"update"}, "before": change{"v": "a"}, "after": change{"v": "c"},
				"before_sensitive": change{"v": true}, "after_sensitive": change{"v": true}}, true},
		{"it must be replaced now", update(change{"a": "x"}, change{"a": "y"}),
			replace(change{"a": "x"}, change{"a": "y"}, nil), true},
		{"what goes was changed before", change{"actions": []string{"delete"}, "before": change{"a": "x"}},
			change{"actions": []string{"delete"}, "before": change{"a": "y"}}, false},
		{"a data source is read again", change{"actions": []string{"no-op"}}, change{"actions": []string{"read"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := func(c change) []byte {
				text, err := json.Marshal(map[string]any{"format_version": "1.2", "resource_changes": []any{map[string]any{
					"address": address, "mode": "managed", "type": "aws_db_instance", "name": "databases_shop_instance_0A0A0A0A", "change": c,
				}}})
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			want := []string{}
			if test.stale {
				want = []string{"databases/shop/instance"}
			}
			if got := staleness(t, plan(test.approved), plan(test.fresh)); !slices.Equal(got, want) {
				t.Errorf("changed: %v, want %v", got, want)
			}
		})
	}
}

// A real plan, and the same after a release: another image is what the newest revision has.
func TestAReleaseMakesARealPlanStale(t *testing.T) {
	approved, _ := load(t, "cpu")
	fresh := bytes.ReplaceAll(approved, []byte(`/shop/payments:latest`), []byte(`/shop/payments@sha256:9f2c`))
	if bytes.Equal(approved, fresh) {
		t.Fatal("the plan has no such image")
	}
	if got := staleness(t, approved, fresh); !slices.Contains(got, "services/payments/task-definition") {
		t.Errorf("changed: %v", got)
	}
}

func TestOutputsMakeAPlanStale(t *testing.T) {
	plan := func(value string) []byte {
		return []byte(`{"format_version": "1.2", "output_changes": {"url": {"actions": ["update"], "before": "a", "after": "` + value + `"}}}`)
	}
	if got := staleness(t, plan("b"), plan("c")); strings.Join(got, " ") != "output url" {
		t.Errorf("changed: %v", got)
	}
}

func TestStaleTellsWhichPlanCannotBeRead(t *testing.T) {
	const plan = `{"format_version": "1.2"}`
	for which, pair := range map[string][2]string{"approved": {"{}", plan}, "fresh": {plan, "{}"}} {
		if _, err := planreview.Stale([]byte(pair[0]), []byte(pair[1]), planreview.Options{}); err == nil || !strings.Contains(err.Error(), which) {
			t.Errorf("%v: error %v, want %q in it", pair, err, which)
		}
	}
}
