// Package live brings the synthesized JSON to life against the AWS emulator: the very JSON that production gets.
//
//	Cycle   init -> apply -> second plan is empty -> protections lifted -> destroy -> nothing is left, for each stack
//	Prove   an emulator, the bootstrap, then the cycle of shared and one environment, all in a temporary copy
//	Up      an emulator that stays, `cdktf deploy` in the checkout, and the shop released on it
//	Demo    Up, and a browser that orders something
//	Sandbox the same for tests, in a copy of the JSON
//
// Every process gets the emulator's environment, so that no real account can be reached.
package live

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/emulator"
	"aws-microservices/internal/live/stack"
)

// Shared is the stack every environment builds on.
const Shared = "shared"

// Environments lists the environments synthesized into a cdktf.out folder: every stack but those all of them share.
func Environments(out string) ([]string, error) {
	names, err := stack.Names(out)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == Shared || name == bootstrap.Name }), nil
}

// Environ is the environment for everything that talks to the emulator, with the credentials of the account that holds the
// state; providers of other accounts assume a role from there.
func Environ(e *emulator.Emulator, out string) ([]string, error) {
	s, err := stack.Open(out, bootstrap.Name, stack.Options{})
	if err != nil {
		return nil, err
	}
	if s.Account == "" {
		return nil, fmt.Errorf("the provider of stack %s names no account: set allowed_account_ids to the one account it is for", s.Name)
	}
	return e.Environ(s.Account, s.Backend.Region), nil
}

// assets is the folder in a stack's where cdktf puts the files that the JSON refers to.
const assets = "assets"

// Copy copies what was synthesized of the stacks, and nothing that Terraform left there, into a new cdktf.out folder.
func Copy(out, to string, names ...string) error {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(out, "stacks", name, stack.File))
		if err != nil {
			return fmt.Errorf("%w: run make synth in the repository's root", err)
		}
		dir := filepath.Join(to, "stacks", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, stack.File), text, 0o644); err != nil {
			return err
		}
		err = os.CopyFS(filepath.Join(dir, assets), os.DirFS(filepath.Join(out, "stacks", name, assets)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Progress prints a line for each step: what, on which stack, how it ended, how long it took.
type Progress struct {
	out io.Writer
	// Steps are those that ended well, in order.
	Steps []Step
}

// Step is one step that ended well.
type Step struct {
	Stack, Name, Result string
	Took                time.Duration
}

// NewProgress prints to out.
func NewProgress(out io.Writer) *Progress { return &Progress{out: out} }

func (p *Progress) step(stackName, name string, do func() (string, error)) error {
	start := time.Now()
	result, err := do()
	took := time.Since(start)
	if err != nil {
		fmt.Fprintf(p.out, "%-10s %-16s %6.1f s  FAILED\n", stackName, name, took.Seconds())
		return fmt.Errorf("%s of stack %s: %w", name, stackName, err)
	}
	line := fmt.Sprintf("%-10s %-16s %6.1f s  %s", stackName, name, took.Seconds(), result)
	fmt.Fprintln(p.out, strings.TrimSpace(line))
	p.Steps = append(p.Steps, Step{stackName, name, result, took})
	return nil
}

func (p *Progress) note(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }
