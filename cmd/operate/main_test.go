package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCalls(t *testing.T) {
	for line, want := range map[string]call{
		"run dev migrate":                     {"run", time.Hour, 0, []string{"dev", "migrate"}},
		"run -timeout 2m dev migrate":         {"run", 2 * time.Minute, 0, []string{"dev", "migrate"}},
		"run dev migrate -- /app -timeout 1s": {"run", time.Hour, 0, []string{"dev", "migrate", "--", "/app", "-timeout", "1s"}},
		"redrive -rate 10 dev order-placed":   {"redrive", time.Hour, 10, []string{"dev", "order-placed"}},
		"wake dev":                            {"wake", time.Hour, 0, []string{"dev"}},
		"sleep dev":                           {"sleep", time.Hour, 0, []string{"dev"}},
	} {
		got, err := parse(strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(call{})); diff != "" {
			t.Errorf("%s:\n%s", line, diff)
		}
	}
}

func TestMisuseIsRefusedWithTheUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "name a command"},
		{[]string{"doze", "dev"}, `there is no command "doze"`},
		{[]string{"run", "dev"}, "run: name a task"},
		{[]string{"run", "dev", ""}, "run: name a task"}, // make run without TASK
		{[]string{"run", "dev", "--", "x"}, "run: name a task"},
		{[]string{"run", "dev", "migrate", "/app"}, `what is ["/app"]?`},
		{[]string{"run", "dev", "migrate", "--"}, `what is ["--"]?`},
		{[]string{"redrive", "dev", "order-placed", "-rate", "10"}, "Flags come first"},
		{[]string{"redrive"}, "redrive: name an environment"},
		{[]string{"wake", "-rate", "10", "dev"}, "flag provided but not defined: -rate"},
		{[]string{"wake", "-timeout", "0s", "dev"}, "a timeout of 0s"},
		{[]string{"sleep", "dev", "prod"}, `what is ["prod"]?`},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), test.args, &stdout, &stderr); code != misuse {
			t.Errorf("%q: exit code %d, want %d", test.args, code, misuse)
		}
		if !strings.Contains(stderr.String(), test.want) || !strings.Contains(stderr.String(), "usage: ") || stdout.Len() > 0 {
			t.Errorf("%q: got %q, want %q and the usage", test.args, stderr.String(), test.want)
		}
	}
}

// The names come from package stacks, without starting anything.
func TestUnknownNamesAreRefused(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"wake", "no-such"}, &stdout, &stderr); code != failed ||
		!strings.Contains(stderr.String(), `operate: there is no environment "no-such": name one of `) {
		t.Errorf("exit code %d, want %d, and %q", code, failed, stderr.String())
	}
}
