package release_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-microservices/constructs/service"
)

// The tests run from top to bottom, and the files by their names.

func TestBeforeAReleaseTheServiceWaitsAtZero(t *testing.T) {
	w := begin(t)
	s := w.service(t)
	if s.DesiredCount != 0 || s.RunningCount != 0 {
		t.Errorf("%d tasks wanted and %d running", s.DesiredCount, s.RunningCount)
	}
	if value, want := *w.ledger(t)[0].Value, service.Unreleased("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop", name); value != want {
		t.Errorf("the ledger begins with %s, want %s", value, want)
	}
	w.agrees(t)
	log, err := os.ReadFile(w.log.Name())
	must(t, err)
	if !strings.Contains(string(log), "No release yet of catalog, orders, payments") {
		t.Error("Terraform does not say what waits for a release")
	}
	w.deploy(t, 3, []string{"rollback", "dev", name})
	w.deploy(t, 3, []string{"deploy", "dev", name, "v7.7.7"}, "v7.7.7")
	w.deploy(t, 3, []string{"deploy", "dev", "catalogue", "v1.0.0"}, "catalogue")
}

// A first release that fails leaves the service waiting, as if it had never been.
func TestAFirstReleaseThatFailsLeavesTheServiceWaiting(t *testing.T) {
	w := begin(t)
	w.deploy(t, 1, []string{"deploy", "dev", name, "v9.0.0"}, "cannot start: no price list", "exited with 3")
	if s := w.service(t); s.DesiredCount != 0 {
		t.Errorf("%d tasks are wanted", s.DesiredCount)
	}
	w.agrees(t)
}

// v1, v2, back to v1, and after each there is nothing to change for Terraform.
func TestReleasesLeaveNothingToChange(t *testing.T) {
	w := begin(t)
	w.deploy(t, 0, []string{"deploy", "dev", name, "v1.0.0"})
	w.serves(t, "v1.0.0")
	w.agrees(t)
	w.deploy(t, 0, []string{"deploy", "dev", name, "v2.0.0"})
	w.serves(t, "v2.0.0")
	w.agrees(t)
	w.deploy(t, 0, []string{"rollback", "dev", name})
	w.serves(t, "v1.0.0")
	w.agrees(t)

	entry := w.ledger(t)[0]
	var label struct{ Version string }
	must(t, json.Unmarshal([]byte(*entry.Description), &label))
	if label.Version != "v1.0.0" || !strings.Contains(*entry.LastModifiedUser, "assumed-role/OrganizationAccountAccessRole/") {
		t.Errorf("%s wrote %s", *entry.LastModifiedUser, *entry.Description)
	}
	w.deploy(t, 0, []string{"status", "dev"})
	w.deploy(t, 0, []string{"history", "dev", name})
}

// Only the size changes, and what was released goes on running.
func TestAChangeOfSizeKeepsTheImage(t *testing.T) {
	w := begin(t)
	w.resize(t, "512", "1024")
	plan, err := w.dev.Plan(t.Context())
	must(t, err)
	t.Logf("%s", plan)
	for _, change := range plan.Changes {
		if change.Address != definitionAddress && change.Address != serviceAddress {
			t.Errorf("Terraform would change %s", change)
		}
		for _, attribute := range change.Attributes {
			if strings.HasPrefix(attribute, "container_definitions") || strings.HasPrefix(attribute, "desired_count") {
				t.Errorf("Terraform would change %s of %s", attribute, change.Address)
			}
		}
	}
	if len(plan.Changes) != 2 {
		t.Errorf("%d resources change, want the task definition and the service", len(plan.Changes))
	}
	must(t, w.dev.ApplyPlan(t.Context()))
	w.deploy(t, 0, []string{"verify", "dev"})
	w.serves(t, "v1.0.0")
	w.agrees(t)
}

func TestTwoDeploysAtOnce(t *testing.T) {
	w := begin(t)
	_, first, wait := w.start(t, nil, "deploy", "dev", name, "v3.0.0")
	within(t, time.Minute, func() error { return says(first, "deployment ecs-svc/") })
	w.deploy(t, 3, []string{"deploy", "dev", name, "v2.0.0"}, "being deployed already", "-force")
	_, _, follow := w.start(t, nil, "deploy", "dev", name, "v3.0.0")
	follow().expect(t, 0, "following that")
	wait().expect(t, 0)
	w.serves(t, "v3.0.0")
	w.agrees(t)
}

func TestADeployKilledHalfWayIsCarriedOn(t *testing.T) {
	w := begin(t)
	killed, text, wait := w.start(t, nil, "deploy", "dev", name, "v3.1.0")
	within(t, time.Minute, func() error { return says(text, "deployment ecs-svc/") })
	must(t, killed.Process.Kill())
	wait()
	w.agrees(t)
	w.deploy(t, 0, []string{"deploy", "dev", name, "v3.1.0"})
	w.serves(t, "v3.1.0")
	w.agrees(t)
}

func TestAnInterruptedDeployGoesOn(t *testing.T) {
	w := begin(t)
	interrupted, text, wait := w.start(t, nil, "deploy", "dev", name, "v3.0.0")
	within(t, time.Minute, func() error { return says(text, "deployment ecs-svc/") })
	must(t, interrupted.Process.Signal(syscall.SIGINT))
	wait().expect(t, 4, "the deployment goes on")
	w.deploy(t, 0, []string{"verify", "dev"})
	w.serves(t, "v3.0.0")
}

func says(text *lines, what string) error {
	if !strings.Contains(text.String(), what) {
		return fmt.Errorf("does not say %q:\n%s", what, text)
	}
	return nil
}

func TestADeployThroughAThrottledAndFlakyAPI(t *testing.T) {
	w := begin(t)
	flaky := newFlaky(t, w.Emulator.URL())
	_, _, wait := w.start(t, []string{"AWS_ENDPOINT_URL=" + flaky.URL}, "deploy", "dev", name, "v2.0.0")
	wait().expect(t, 0)
	if flaky.refused.Load() == 0 || flaky.dropped.Load() == 0 {
		t.Errorf("%d calls were throttled, %d connections lost", flaky.refused.Load(), flaky.dropped.Load())
	}
	w.serves(t, "v2.0.0")
	w.agrees(t)
}

// Each is rolled back: the error says why, the exit code is 1, and the version before goes on serving.
func TestWhatDoesNotWorkIsRolledBack(t *testing.T) {
	w := begin(t)
	w.deploy(t, 0, []string{"deploy", "dev", name, "v1.0.0"})
	for _, row := range []struct {
		name, version string
		// before is done before the deploy, and what it returns after it.
		before func(t *testing.T, w *world) (after func())
		says   []string
	}{
		{"it crashes", "v9.0.0", nil, []string{"cannot start: no price list", "exited with 3"}},
		{"it is never well", "v9.1.0", nil, []string{"failed container health checks"}},
		{"it is killed over and over", "v9.2.0", nil, []string{"exited with 137"}},
		{"it has too little memory", "v9.4.0", nil, []string{"exited with 137", "MiB"}},
		{"its image cannot be pulled", "v9.3.0", hollow, []string{"CannotPullContainerError"}},
		{"its secret is gone", "v2.0.0", demandSecret, []string{"ResourceInitializationError", "no-such-secret"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			after := func() {}
			if row.before != nil {
				after = row.before(t, w)
			}
			w.deploy(t, 1, []string{"deploy", "dev", name, row.version}, append(row.says, row.version, "v1.0.0")...)
			after()
			w.serves(t, "v1.0.0")
			if note := aws.ToString(w.ledger(t)[0].Description); !strings.Contains(note, row.version) {
				t.Errorf("the ledger does not say that %s was rolled back: %s", row.version, note)
			}
			w.agrees(t)
		})
	}
}
