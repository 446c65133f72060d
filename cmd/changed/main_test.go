package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

var services = []stacks.Service{
	{Name: "orders", Kind: service.Web}, {Name: "mailer", Kind: service.Worker}, {Name: "migrate", Kind: service.Task},
}

// repository is a checkout with three services, of which two share a package.
type repository struct {
	*testing.T
	dir string
}

func open(t *testing.T) repository {
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch", "main")
	for name, text := range map[string]string{
		"go.mod": "module shop\n\ngo 1.26\n", "go.sum": "",
		".dockerignore":  "*.md\n**/*_test.go\n**/Dockerfile\norders/pictures\nweb\n",
		"orders/main.go": "package main\n\nimport _ \"shop/internal/queue\"\n\nfunc main() {}\n", "orders/Dockerfile": "FROM scratch\n",
		"mailer/main.go": "package main\n\nimport _ \"shop/internal/queue\"\n\nfunc main() {}\n", "mailer/Dockerfile": "FROM scratch\n",
		"migrate/main.go":        "package main\n\nimport _ \"shop/migrate/steps\"\n\nfunc main() {}\n",
		"migrate/steps/steps.go": "package steps\n", "internal/queue/queue.go": "package queue\n",
	} {
		r.write("apps/"+name, text)
	}
	r.commit()
	return r
}

func (r repository) write(name, text string) {
	r.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

func (r repository) git(args ...string) string {
	r.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all there is, and returns the hash.
func (r repository) commit() string {
	r.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
	return r.git("rev-parse", "HEAD")
}

func (r repository) changed(args ...string) []image {
	r.Helper()
	var out bytes.Buffer
	if err := run(r.Context(), r.dir, services, args, &out); err != nil {
		r.Fatal(err)
	}
	var images []image
	if err := json.Unmarshal(out.Bytes(), &images); err != nil || images == nil {
		r.Fatalf("%s: %v", out.String(), err)
	}
	return images
}

func names(images []image) string {
	var all []string
	for _, i := range images {
		all = append(all, i.Service)
	}
	return strings.Join(all, " ")
}

func TestAServiceIsBuiltAnewWhenWhatItIsBuiltFromChanges(t *testing.T) {
	r := open(t)
	base := r.commit()
	for _, test := range []struct{ file, want string }{
		{"apps/orders/main.go", "orders"},
		{"apps/orders/text.go", "orders"},
		{"apps/orders/Dockerfile", "orders"},
		{"apps/internal/queue/queue.go", "orders mailer"},
		{"apps/migrate/steps/0001_first.sql", "migrate"}, // embedded
		{"apps/go.mod", "migrate orders mailer"},
		{"apps/go.sum", "migrate orders mailer"},
		{"apps/.dockerignore", "migrate orders mailer"},
		// In no image:
		{"apps/orders/main_test.go", ""},
		{"apps/orders/README.md", "orders"}, // *.md of .dockerignore is about the folder itself
		{"apps/orders/pictures/desk.svg", ""},
		{"apps/README.md", ""},
		{"apps/web/src/main.ts", ""},
		{"apps/other/notes.txt", ""},
		{"stacks/platform.go", ""},
	} {
		text, _ := os.ReadFile(filepath.Join(r.dir, test.file))
		addition := "\n// more\n"
		if filepath.Ext(test.file) == ".go" && text == nil {
			addition = "package main\n"
		}
		r.write(test.file, string(text)+addition)
		r.commit()
		if got := names(r.changed(base)); got != test.want {
			t.Errorf("%s: %q, want %q", test.file, got, test.want)
		}
		r.git("reset", "--quiet", "--hard", base)
	}
}

func TestAFileThatIsGoneIsAChangeToo(t *testing.T) {
	r := open(t)
	r.write("apps/migrate/steps/0001_first.sql", "")
	base := r.commit()
	r.git("rm", "--quiet", "apps/migrate/steps/0001_first.sql")
	r.commit()
	if got := names(r.changed(base)); got != "migrate" {
		t.Errorf("%q", got)
	}
}

func TestWithoutABaseItIsAllOfThemTasksFirst(t *testing.T) {
	r := open(t)
	for _, args := range [][]string{nil, {""}, {strings.Repeat("0", 40)}} {
		if got := names(r.changed(args...)); got != "migrate orders mailer" {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := r.changed("HEAD"); len(got) != 0 {
		t.Errorf("nothing changed, and got %v", got)
	}
}

// What a pull request changes is seen from where it began.
func TestWhatChangedOnTheBaseIsNoChange(t *testing.T) {
	r := open(t)
	r.git("checkout", "--quiet", "-b", "feature")
	r.write("apps/mailer/main.go", "package main\n\nfunc main() {}\n")
	r.commit()
	r.git("checkout", "--quiet", "main")
	r.write("apps/orders/main.go", "package main\n\nfunc main() {}\n")
	r.commit()
	r.git("checkout", "--quiet", "feature")
	if got := names(r.changed("main")); got != "mailer" {
		t.Errorf("%q", got)
	}
}

// An image is named by the commit of the branch that last changed it, whatever came after it.
func TestAnImageIsNamedByTheCommitThatChangedIt(t *testing.T) {
	r := open(t)
	first := r.git("rev-parse", "HEAD")
	r.git("checkout", "--quiet", "-b", "feature")
	r.write("apps/mailer/main.go", "package main\n\nfunc main() {}\n")
	r.commit()
	r.git("checkout", "--quiet", "main")
	r.write("apps/orders/main.go", "package main\n\nfunc main() {}\n")
	second := r.commit()
	r.git("merge", "--quiet", "--no-ff", "--message", "merge", "feature")
	third := r.git("rev-parse", "HEAD")
	r.write("README.md", "")
	r.commit()

	images := r.changed()
	for name, want := range map[string]string{"migrate": first, "orders": second, "mailer": third} {
		i := images[slices.IndexFunc(images, func(i image) bool { return i.Service == name })]
		if i.Commit != want || i.Version != "commit-"+want[:12] || i.Created != r.git("show", "--no-patch", "--format=%cI", want) {
			t.Errorf("%s is %+v, want commit %s", name, i, want)
		}
	}
}

func TestWhatItCannotKnowIsRefused(t *testing.T) {
	r := open(t)
	shallow := t.TempDir()
	r.write("apps/orders/main.go", "package main\n\nfunc main() {}\n")
	r.commit()
	r.git("clone", "--quiet", "--depth", "1", "file://"+r.dir, shallow)
	for _, test := range []struct {
		dir      string
		services []stacks.Service
		args     []string
		want     string
	}{
		{shallow, services, nil, "fetch all of it"},
		{r.dir, []stacks.Service{{Name: "basket"}}, nil, "service basket has no Go program in apps/basket"},
		{r.dir, services, []string{"a", "b"}, "usage: changed [BASE]"},
	} {
		err := run(t.Context(), test.dir, test.services, test.args, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	r.write("apps/orders/main.go", "package")
	if err := run(t.Context(), r.dir, services, nil, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "go list") {
		t.Errorf("%v", err)
	}
}
