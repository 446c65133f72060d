//go:build pipelines

package pipelines_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aws-microservices/test/pipelines/github"
)

// Repository is a clone of this one at example-org/shop, with what GitHub keeps of it: nothing at first. It begins with this checkout
// as it is, committed or not.
type Repository struct {
	Dir   string
	world *world
}

// Repository clones the checkout for a test.
func (w *world) Repository(t *testing.T) *Repository {
	t.Helper()
	r := &Repository{Dir: filepath.Join(t.TempDir(), "shop"), world: w}
	if err := os.Mkdir(r.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git(t, "init", "--quiet", "--initial-branch", "main")
	r.git(t, "remote", "add", "origin", "https://github.com/"+github.Repository)
	// A job may fetch any commit.
	r.git(t, "config", "uploadpack.allowAnySHA1InWant", "true")
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			continue // deleted and not committed
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, name, string(text), info.Mode().Perm())
	}
	r.Commit(t, "what runs")
	r.update(t, func(s *github.State) { *s = github.State{} })
	return r
}

// Write writes a file.
func (r *Repository) Write(t *testing.T, name, text string) {
	t.Helper()
	r.write(t, name, text, 0o644)
}

func (r *Repository) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	file := filepath.Join(r.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// Edit replaces a text that is in a file once.
func (r *Repository) Edit(t *testing.T, name, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		t.Fatalf("%s has %q %d times", name, from, n)
	}
	r.Write(t, name, strings.Replace(string(text), from, to, 1))
}

// Synth synthesizes, as somebody who changes the platform does.
func (r *Repository) Synth(t *testing.T) {
	t.Helper()
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = r.Dir
	cmd.Env = append(r.world.processEnvironment(), "CDKTF_OUTDIR="+filepath.Join(r.Dir, "cdktf.out"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("synth: %v\n%s", err, text)
	}
}

// Commit commits all of it and returns the commit.
func (r *Repository) Commit(t *testing.T, message string) string {
	t.Helper()
	r.git(t, "add", "--all")
	r.git(t, "commit", "--quiet", "--allow-empty", "--message", message)
	return r.Head(t)
}

// Head is the commit that is checked out.
func (r *Repository) Head(t *testing.T) string {
	t.Helper()
	return r.git(t, "rev-parse", "HEAD")
}

// Open begins a pull request with what differs in the working tree, on a branch of its own, which stays checked out.
func (r *Repository) Open(t *testing.T, number int, branch string) {
	t.Helper()
	r.git(t, "checkout", "--quiet", "-b", branch)
	head := r.Commit(t, branch)
	r.update(t, func(s *github.State) {
		s.Pulls = append(s.Pulls, github.Pull{Number: number, Head: head, HeadRef: branch})
	})
}

// Merge merges the pull request into main, which is checked out then, and returns main's commit before.
func (r *Repository) Merge(t *testing.T, number int) (before string) {
	t.Helper()
	pull := r.pull(t, number)
	r.git(t, "checkout", "--quiet", "main")
	before = r.Head(t)
	r.git(t, "merge", "--quiet", "--no-ff", "--message", "merge "+pull.HeadRef, pull.HeadRef)
	merge := r.Head(t)
	r.changePull(t, number, func(p *github.Pull) { p.Merge = merge })
	return before
}

// Label gives the pull request a label.
func (r *Repository) Label(t *testing.T, number int, label string) {
	t.Helper()
	r.changePull(t, number, func(p *github.Pull) { p.Labels = append(p.Labels, label) })
}

func (r *Repository) changePull(t *testing.T, number int, change func(*github.Pull)) {
	t.Helper()
	r.update(t, func(s *github.State) {
		for i := range s.Pulls {
			if s.Pulls[i].Number == number {
				change(&s.Pulls[i])
			}
		}
	})
}

// pull is the pull request of the number.
func (r *Repository) pull(t *testing.T, number int) github.Pull {
	t.Helper()
	for _, p := range r.State(t).Pulls {
		if p.Number == number {
			return p
		}
	}
	t.Fatalf("there is no pull request %d", number)
	return github.Pull{}
}

// State is what GitHub keeps.
func (r *Repository) State(t *testing.T) github.State {
	t.Helper()
	s, err := r.world.github.Read()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *Repository) update(t *testing.T, change func(*github.State)) {
	t.Helper()
	if err := r.world.github.Update(func(s *github.State) error { change(s); return nil }); err != nil {
		t.Fatal(err)
	}
}

// git runs git in the repository and returns what it prints.
func (r *Repository) git(t *testing.T, arguments ...string) string {
	t.Helper()
	cmd := exec.Command("git", arguments...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=A. Developer", "GIT_AUTHOR_EMAIL=developer@example.com", "GIT_COMMITTER_NAME=A. Developer", "GIT_COMMITTER_EMAIL=developer@example.com")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(arguments, " "), err, text)
	}
	return strings.TrimSpace(string(text))
}
