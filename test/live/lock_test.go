package live_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"aws-microservices/internal/live/stack"
)

// Two operators, each with a checkout of the same stack: while one applies, the other is refused and told by whom.
func TestSecondApplyIsRefusedWhileLocked(t *testing.T) {
	begin(t)
	w := sharedWorld(t)
	release := filepath.Join(t.TempDir(), "release")
	resources := map[string]any{"terraform_data": map[string]any{
		"held": provisioner(waitFor(release)),
	}}
	log := newLines()
	first := w.extraStack(t, "locked", resources, log)
	second := w.extraStack(t, "locked", resources)

	ended := make(chan struct{})
	var firstErr error
	go func() {
		defer close(ended)
		firstErr = first.Apply(t.Context())
	}()
	if !log.await("terraform_data.held: Provisioning with", ended) {
		t.Fatalf("the first apply ended before it held the lock: %v\n%s", firstErr, log)
	}

	if locked := refused(t, second); locked != nil &&
		(locked.ID == "" || !strings.Contains(locked.Who, "@") || !strings.Contains(locked.Error(), locked.Who)) {
		t.Errorf("the error should name the lock's holder and ID: %v", locked)
	}

	must(t, os.WriteFile(release, nil, 0o644))
	<-ended
	must(t, firstErr)
	// Nothing was lost: the second operator goes on from what the first one made.
	mustBeUpToDate(t, second)
	must(t, second.Destroy(t.Context()))
}

// refused applies and wants that to be refused because of the lock. An apply that is not would wait in its provisioner for
// good, hence the time limit.
func refused(t *testing.T, s *stack.Stack) *stack.LockedError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := s.Apply(ctx, tfexec.LockTimeout("0s"))
	var locked *stack.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("the apply should be refused because the state is locked, but ended with: %v", err)
	}
	return locked
}

// Terraform is killed half way through an apply, as when the machine dies. What an operator does then: force-unlock with
// the ID the next command names, apply again, and import what AWS says exists already. That last part cannot be avoided:
// Terraform saves a remote state at most every 20 s, so what was made since the last time is known to nobody else. What
// may not happen: that a resource is there twice or belongs to nobody in the end, or that the state is damaged.
func TestKilledApplyLosesNothing(t *testing.T) {
	begin(t)
	w := sharedWorld(t)
	const each = 8
	log := newLines()
	s := w.extraStack(t, "killed", halfway(each), log)
	killApply(t, w, s)

	// The lock of the dead run keeps others away from a state that may be behind.
	locked := refused(t, s)
	if locked == nil {
		t.FailNow()
	}
	must(t, s.Unlock(t.Context(), locked.ID))

	saved := state(t, s)
	for i := range each {
		if address := fmt.Sprintf("aws_cloudwatch_log_group.early%d", i); saved.IDs[address] == "" {
			t.Errorf("%s was made long before the kill and is not in the state", address)
		}
	}
	for address, id := range saved.IDs {
		if id == "" {
			t.Errorf("%s is in the state without an id", address)
		}
	}
	must(t, os.WriteFile(s.Path("release"), nil, 0o644))
	applyAndImport(t, s)

	mustBeUpToDate(t, s)
	held := state(t, s)
	if lost := saved.Missing(held); len(lost) > 0 {
		t.Errorf("replaced, though nothing was wrong with them: %s", strings.Join(lost, ", "))
	}
	want := []string{}
	for _, address := range held.Addresses() {
		if strings.HasPrefix(address, "aws_cloudwatch_log_group.") {
			want = append(want, held.IDs[address])
		}
	}
	slices.Sort(want)
	if got := w.logGroups(t, "/killed/"); !slices.Equal(got, want) || len(got) != 2*each {
		t.Errorf("the account holds the log groups\n%v\nthe state knows\n%v\nwant %d in both", got, want, 2*each)
	}
	must(t, s.Destroy(t.Context()))
	if got := w.logGroups(t, "/killed/"); len(got) > 0 {
		t.Errorf("left after the destroy: %v", got)
	}
}

// halfway is a stack that makes a few log groups, lets the time pass after which Terraform saves the state with the next
// resource, makes some more, and then waits to be killed.
func halfway(each int) map[string]any {
	groups := map[string]any{}
	var early, late []string
	for i := range each {
		e, l := fmt.Sprintf("early%d", i), fmt.Sprintf("late%d", i)
		groups[e] = map[string]any{"name": "/killed/" + e}
		groups[l] = map[string]any{"name": "/killed/" + l, "depends_on": []string{"terraform_data.saved"}}
		early, late = append(early, "aws_cloudwatch_log_group."+e), append(late, "aws_cloudwatch_log_group."+l)
	}
	pause := provisioner("sleep 21")
	pause["depends_on"] = early
	held := provisioner(waitFor("release"))
	held["depends_on"] = late
	return map[string]any{
		"aws_cloudwatch_log_group": groups,
		"terraform_data": map[string]any{
			"pause": pause,
			"saved": map[string]any{"depends_on": []string{"terraform_data.pause"}},
			"held":  held,
		},
	}
}

// waitFor is a command that ends when the file exists, or fails after five minutes: it may outlive a test that was killed.
func waitFor(file string) string {
	return fmt.Sprintf("for i in $(seq 1 3000); do [ -e %s ] && exit 0; sleep 0.1; done; exit 1", file)
}

func provisioner(command string) map[string]any {
	return map[string]any{"provisioner": []any{map[string]any{"local-exec": map[string]any{"command": command}}}}
}

// killApply starts an apply and kills it, with the provider, when all but the last resource is made.
func killApply(t *testing.T, w *world, s *stack.Stack) {
	t.Helper()
	output := newLines()
	cmd := exec.CommandContext(t.Context(), "terraform", "apply", "-auto-approve", "-input=false", "-no-color")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, w.env, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	reached := output.await("terraform_data.held: Provisioning with", ended)
	must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	<-ended
	if !reached {
		t.Fatalf("the apply ended before it could be killed:\n%s", output)
	}
}

// applyAndImport applies until it succeeds and imports, in between, what AWS says exists already.
func applyAndImport(t *testing.T, s *stack.Stack) {
	t.Helper()
	err := s.Apply(t.Context())
	if err == nil {
		return
	}
	imported := 0
	for message := range strings.SplitSeq(err.Error(), "Error: ") {
		for _, r := range s.Resources {
			if strings.Contains(message, "ResourceAlreadyExistsException") && strings.Contains(message, "with "+r.Address()+",") {
				must(t, s.Import(t.Context(), r.Address(), r.Config["name"].(string)))
				imported++
			}
		}
	}
	if imported == 0 {
		t.Fatal(err)
	}
	t.Logf("%d resources were made and not saved when Terraform was killed: imported", imported)
	must(t, s.Apply(t.Context()))
}
