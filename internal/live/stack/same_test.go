package stack

import "testing"

func TestDocumentsAreTheSameByWhatTheySay(t *testing.T) {
	for _, row := range []struct {
		before, after any
		want          bool
	}{
		{`[{"name": "a", "cpu": 0}]`, `[{"cpu":0,"name":"a"}]`, true},
		{`[{"cpu": 0}]`, `[{"cpu": 1}]`, false},
		{`{"a": 1}`, `{"a": 1`, false},
		{"1", "1.0", false},
		{"text", "text", true},
		{nil, "", false},
		{1.0, 1.0, true},
	} {
		if got := same(row.before, row.after); got != row.want {
			t.Errorf("%v and %v: %t, want %t", row.before, row.after, got, row.want)
		}
	}
}
