package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// checkout gives the job the commit it is about, and as much of what was before as it asks for.
func checkout([]string) error {
	if input("persist-credentials") != "false" {
		return fmt.Errorf("persist-credentials is %q: every step could use the token: say false", input("persist-credentials"))
	}
	where, commit := variable("GITHUB_WORKSPACE"), cmp.Or(input("ref"), variable("GITHUB_SHA"))
	for _, arguments := range [][]string{
		{"init", "--quiet", "--initial-branch", "main"},
		{"remote", "add", "origin", "file://" + variable("CHECKOUT_SOURCE")},
		append([]string{"fetch", "--quiet", "origin", commit}, depth()...),
		{"checkout", "--quiet", "FETCH_HEAD"},
	} {
		cmd := exec.Command("git", arguments...)
		cmd.Dir = where
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("git %s: %w", strings.Join(arguments, " "), err)
		}
	}
	return nil
}

func depth() []string {
	switch input("fetch-depth") {
	case "", "1":
		return []string{"--depth", "1", "--no-tags"}
	case "0":
		return []string{"+refs/heads/*:refs/remotes/origin/*", "--tags"}
	}
	return []string{"--depth", input("fetch-depth"), "--no-tags"}
}

// tool is what the setup actions stand for: the machine has to have the tool.
func tool(arguments []string) error {
	for _, name := range arguments {
		if _, err := exec.LookPath(name); err != nil {
			return err
		}
	}
	return nil
}

// restore gives a job the project's tools, as a cache that was kept would, and nothing else.
func restore([]string) error {
	if err := required("path", "key"); err != nil {
		return err
	}
	if input("path") != ".tools" {
		return output("cache-hit", "false")
	}
	to := filepath.Join(variable("GITHUB_WORKSPACE"), ".tools")
	// Links, because it is some 40,000 files; what a job writes, it writes anew.
	if text, err := exec.Command("cp", "--archive", "--link", variable("CACHED_TOOLS"), to).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w\n%s", err, text)
	}
	return output("cache-hit", "true")
}
