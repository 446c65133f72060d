// Command changed says which images a commit needs: those of the services that are built from something that changed since
// another commit, or all of them if none is named.
//
//	go run ./cmd/changed [BASE]
//
// A base that the history does not have, because the branch was rewritten, is as good as none.
//
// It prints one line of JSON, tasks first, because they prepare what the others run on:
//
//	[{"service":"orders","kind":"web","version":"commit-1f0c…","commit":"1f0c…","created":"2026-01-31T12:00:00Z"}]
//
// The commit is the one on this branch that last changed what the image is built from, and so it names the image: as long as
// nothing of it changes, it is found under that name and not built again.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

const (
	// folder is what the images are built from.
	folder = "apps"
	// digits are enough of a commit's hash to name it.
	digits = 12
)

func main() {
	if err := run(context.Background(), ".", stacks.All.Platform.Services, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "changed:", err)
		os.Exit(1)
	}
}

// image is one to be built, or to be found.
type image struct {
	Service string       `json:"service"`
	Kind    service.Kind `json:"kind"`
	Version string       `json:"version"`
	Commit  string       `json:"commit"`
	// Created is when the commit was made.
	Created string `json:"created"`
}

func run(ctx context.Context, root string, services []stacks.Service, args []string, out io.Writer) error {
	if len(args) > 1 {
		return fmt.Errorf("what is %q? usage: changed [BASE]", args[1:])
	}
	history, err := log(ctx, root)
	if err != nil {
		return err
	}
	in, err := inputs(ctx, filepath.Join(root, folder))
	if err != nil {
		return err
	}
	// A nil list would be null, over which no matrix runs.
	images := []image{}
	for _, s := range services {
		if in.packages[s.Name] == nil {
			return fmt.Errorf("service %s has no Go program in %s/%s", s.Name, folder, s.Name)
		}
		last := slices.IndexFunc(history, func(c commit) bool { return in.of(s.Name, c.files) })
		if last < 0 {
			return fmt.Errorf("no commit has service %s yet: commit %s/%s", s.Name, folder, s.Name)
		}
		c := history[last]
		images = append(images, image{Service: s.Name, Kind: s.Kind, Version: "commit-" + c.hash[:digits], Commit: c.hash, Created: c.at})
	}
	if base := strings.Join(args, ""); known(ctx, root, base) {
		files, err := git(ctx, root, "diff", "--name-only", base+"...HEAD", "--", folder)
		if err != nil {
			return err
		}
		images = slices.DeleteFunc(images, func(i image) bool { return !in.of(i.Service, strings.Split(files, "\n")) })
	}
	slices.SortStableFunc(images, func(a, b image) int { return rank(a) - rank(b) })
	return json.NewEncoder(out).Encode(images)
}

func known(ctx context.Context, root, base string) bool {
	_, err := git(ctx, root, "cat-file", "-e", base+"^{commit}")
	return base != "" && err == nil
}

func rank(i image) int {
	if i.Kind == service.Task {
		return 0
	}
	return 1
}

// commit is one of the branch, with the files it changed.
type commit struct {
	hash, at string
	files    []string
}

// log is the commits that changed anything in the folder, newest first. A merge counts as what it brought to the branch.
func log(ctx context.Context, root string) ([]commit, error) {
	shallow, err := git(ctx, root, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(shallow) == "true" {
		return nil, errors.New("the clone has a part of the history only: fetch all of it, git fetch --unshallow")
	}
	out, err := git(ctx, root, "log", "--first-parent", "--diff-merges=first-parent", "--name-only", "--format=commit %H %cI", "--", folder)
	if err != nil {
		return nil, err
	}
	var commits []commit
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if rest, found := strings.CutPrefix(line, "commit "); found {
			hash, at, _ := strings.Cut(rest, " ")
			commits = append(commits, commit{hash: hash, at: at})
		} else if line != "" {
			last := &commits[len(commits)-1]
			last.files = append(last.files, line)
		}
	}
	return commits, nil
}

// git runs git in a checkout. What it complains about is in the error.
func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := output(exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...))
	return string(out), err
}

func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("%s: %s", strings.Join(cmd.Args, " "), bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

// sources are what the images are built from.
type sources struct {
	// packages are the folders of a service's program and of all it imports, below the folder of all.
	packages map[string][]string
	// ignored are the files that no image is built from.
	ignored *patternmatcher.PatternMatcher
}

func inputs(ctx context.Context, dir string) (sources, error) {
	in := sources{packages: map[string][]string{}}
	ignore, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if err != nil {
		return in, err
	}
	defer ignore.Close()
	patterns, err := ignorefile.ReadAll(bufio.NewReader(ignore))
	if err != nil {
		return in, err
	}
	if in.ignored, err = patternmatcher.New(patterns); err != nil {
		return in, fmt.Errorf("%s: %w", ignore.Name(), err)
	}

	list := exec.CommandContext(ctx, "go", "list", "-json=Name,ImportPath,Deps,Module", "./...")
	list.Dir = dir
	out, err := output(list)
	if err != nil {
		return in, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct {
			Name, ImportPath string
			Deps             []string
			Module           struct{ Path string }
		}
		if err := decoder.Decode(&p); err != nil {
			return in, fmt.Errorf("go list: %w", err)
		}
		if p.Name != "main" {
			continue
		}
		var folders []string
		for _, one := range append(p.Deps, p.ImportPath) {
			if own, found := strings.CutPrefix(one, p.Module.Path+"/"); found {
				folders = append(folders, own)
			}
		}
		in.packages[strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")] = folders
	}
	return in, nil
}

// of tells whether a service's image is built from any of the files. What lies below a package's folder counts as its own: it may
// be embedded.
func (in sources) of(name string, files []string) bool {
	return slices.ContainsFunc(files, func(file string) bool {
		file = strings.TrimPrefix(file, folder+"/")
		switch file {
		case "go.mod", "go.sum", ".dockerignore", path.Join(name, "Dockerfile"):
			return true
		}
		if ignored, err := in.ignored.MatchesOrParentMatches(file); err != nil || ignored {
			return err != nil // rather built once too often
		}
		return slices.ContainsFunc(in.packages[name], func(p string) bool { return strings.HasPrefix(file, p+"/") })
	})
}
