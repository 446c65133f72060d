package live

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestWhatIsNotCommittedHasAVersionOfItsOwn(t *testing.T) {
	root := t.TempDir()
	s := &Shop{Root: root}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(arguments ...string) {
		t.Helper()
		arguments = append([]string{"-C", root, "-c", "user.name=test", "-c", "user.email=test@example.com"}, arguments...)
		if out, err := exec.Command("git", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", arguments, err, out)
		}
	}
	revision := func() string {
		t.Helper()
		found := s.revision(t.Context())
		if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(found) {
			t.Fatalf("%q is no hash", found)
		}
		return found
	}
	if before := revision(); before == revision() {
		t.Error("without a repository nobody knows whether anything changed")
	}
	write("first")
	git("init", "--quiet")
	git("add", "file")
	git("commit", "--quiet", "--message", "first")
	head, err := exec.Command("git", "-C", root, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	committed := revision()
	if committed != string(head[:40]) {
		t.Errorf("%s, want the commit %s", committed, head)
	}
	write("second")
	changed := revision()
	if changed == committed || changed != revision() {
		t.Errorf("a change is %s, the commit %s", changed, committed)
	}
	write("first")
	if revision() != committed {
		t.Error("a change that is undone is none")
	}
}
