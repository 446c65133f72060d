package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/release"
)

var someDigest = "sha256:" + strings.Repeat("1f", 32)

func TestCalls(t *testing.T) {
	hour := time.Hour
	for line, want := range map[string]call{
		"deploy dev orders v1.2.3":            {command: "deploy", timeout: hour, folder: "apps/web/dist", args: []string{"dev", "orders", "v1.2.3"}},
		"deploy -force -json dev orders v1":   {command: "deploy", timeout: hour, folder: "apps/web/dist", force: true, json: true, args: []string{"dev", "orders", "v1"}},
		"deploy -dir out dev web v1.2.3":      {command: "deploy", timeout: hour, folder: "out", args: []string{"dev", "web", "v1.2.3"}},
		"rollback dev orders":                 {command: "rollback", timeout: hour, args: []string{"dev", "orders"}},
		"rollback dev orders v1.2.2":          {command: "rollback", timeout: hour, args: []string{"dev", "orders", "v1.2.2"}},
		"status -json dev":                    {command: "status", timeout: hour, json: true, args: []string{"dev"}},
		"history dev orders":                  {command: "history", timeout: hour, args: []string{"dev", "orders"}},
		"verify -timeout 5m dev":              {command: "verify", timeout: 5 * time.Minute, args: []string{"dev"}},
		"logs -follow -since 5m dev orders":   {command: "logs", timeout: hour, follow: true, since: 5 * time.Minute, args: []string{"dev", "orders"}},
		"exec dev orders -- /app -v":          {command: "exec", timeout: hour, args: []string{"dev", "orders", "--", "/app", "-v"}},
		"run dev migrate":                     {command: "run", timeout: hour, args: []string{"dev", "migrate"}},
		"run -timeout 2m dev migrate":         {command: "run", timeout: 2 * time.Minute, args: []string{"dev", "migrate"}},
		"run dev migrate -- /app -timeout 1s": {command: "run", timeout: hour, args: []string{"dev", "migrate", "--", "/app", "-timeout", "1s"}},
		"redrive -rate 10 dev order-placed":   {command: "redrive", timeout: hour, rate: 10, args: []string{"dev", "order-placed"}},
		"wake dev":                            {command: "wake", timeout: hour, args: []string{"dev"}},
		"sleep dev":                           {command: "sleep", timeout: hour, args: []string{"dev"}},
		"deploy -committed 2026-01-31T12:00:00Z dev orders latest": {
			command: "deploy", timeout: hour, folder: "apps/web/dist", committed: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
			args: []string{"dev", "orders", "latest"},
		},
		"deploy -digest " + someDigest + " dev orders v1.2.3": {
			command: "deploy", timeout: hour, folder: "apps/web/dist", digest: someDigest, args: []string{"dev", "orders", "v1.2.3"},
		},
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

// A flag that is read and not handed on would be kept by nobody.
func TestFlagsReachTheRelease(t *testing.T) {
	c, err := parse(strings.Fields("deploy -force -committed 2026-01-31T12:00:00Z -digest " + someDigest + " -dir out dev orders v1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	r := c.releaser(io.Discard)
	if !r.Force || r.Digest != someDigest || r.Folder != "out" || !r.Committed.Equal(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("force %t, digest %q, folder %q, committed %s", r.Force, r.Digest, r.Folder, r.Committed)
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
		{[]string{"deploy", "dev", "orders"}, "deploy: name a version"},
		{[]string{"deploy", "dev", "orders", "v1", "-force"}, "Flags come first"},
		{[]string{"deploy", "-committed", "yesterday", "dev", "orders", "v1"}, "-committed"},
		{[]string{"deploy", "-digest", "sha256:1", "dev", "orders", "v1"}, "write sha256: and 64 digits"},
		{[]string{"deploy", "-digest", someDigest, "dev", "web", "v1"}, "-digest is an image's, and web has none"},
		{[]string{"rollback", "dev"}, "rollback: name a service"},
		{[]string{"rollback", "-committed", "x", "dev", "orders"}, "flag provided but not defined: -committed"},
		{[]string{"status"}, "status: name an environment"},
		{[]string{"history", "dev", "orders", "--"}, `what is ["--"]?`},
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
	for line, want := range map[string]string{
		"wake no-such":                 `there is no environment "no-such": name one of `,
		"deploy no-such orders v1.0.0": `there is no environment "no-such": name one of `,
		"deploy dev no-such v1.0.0":    `there is no service "no-such": name one of `,
		"rollback dev no-such":         `there is no service "no-such": name one of `,
		"verify no-such":               `there is no environment "no-such": name one of `,
		"run dev no-such":              `there is no task "no-such": name one of `,
		"logs dev no-such":             `there is no service "no-such": name one of `,
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(line), &stdout, &stderr); code != release.ExitRefused ||
			!strings.Contains(stderr.String(), "deploy: "+want) {
			t.Errorf("%s: exit code %d, want %d, and %q", line, code, release.ExitRefused, stderr.String())
		}
	}
}

func TestHelpIsNoMisuse(t *testing.T) {
	for _, line := range []string{"help", "-h", "--help", "deploy -h"} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(line), &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "usage: ") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", line, code, stdout.String(), stderr.String())
		}
	}
}

func TestJSONIsOneDocumentOnStdout(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"deploy", "-json", "dev", "no-such", "v1.0.0"}, &stdout, &stderr)
	var got struct {
		ExitCode int
		Error    string
		Result   release.Outcome
	}
	decoder := json.NewDecoder(&stdout)
	if err := decoder.Decode(&got); err != nil || decoder.More() {
		t.Fatalf("stdout is not one document: %v", err)
	}
	if got.ExitCode != code || !strings.Contains(got.Error, "no-such") || got.Result.Service != "no-such" {
		t.Errorf("got %+v with exit code %d", got, code)
	}
}

func TestExitCodes(t *testing.T) {
	live := t.Context()
	ended, end := context.WithCancelCause(live)
	end(errors.New("interrupted"))
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"all is well":                     {live, nil, 0},
		"something went wrong":            {live, errors.New("x"), 1},
		"a version that does not serve":   {live, release.Failed("x"), 1},
		"refused":                         {live, fmt.Errorf("y: %w", release.Refused("x")), 3},
		"unfinished":                      {live, release.Unfinished("x"), 4},
		"an interrupt while waiting":      {ended, fmt.Errorf("y: %w", context.Cause(ended)), 4},
		"a failure just before interrupt": {ended, release.Failed("x"), 1},
	} {
		if got := exitCode(test.ctx, test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
