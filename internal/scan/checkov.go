package scan

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Checkov runs the scanner.
type Checkov struct {
	Path string // of the program
}

// Scan runs Checkov once over all the stacks. It scans copies in a folder of its own, so that neither leftovers in the
// stacks' folders nor anybody's settings (.checkov.yaml, environment) change the outcome, and nothing is written there.
func (c Checkov) Scan(ctx context.Context, stacks []Stack) (Report, error) {
	program, err := program(c.Path, "-checkov")
	if err != nil {
		return Report{}, err
	}
	work, err := os.MkdirTemp("", "scan-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(work)
	if err := copyStacks(filepath.Join(work, "stacks"), stacks); err != nil {
		return Report{}, err
	}
	// Not --quiet: it leaves what passed and what did not parse out of the JSON. With --soft-fail findings are no error.
	cmd := exec.CommandContext(ctx, program, "--directory", "stacks", "--framework", "terraform_json",
		"--skip-download", "--output", "json", "--compact", "--soft-fail")
	cmd.Dir = work
	cmd.Env = append(cleanEnviron(os.Environ()), "HOME="+work, "CKV_SKIP_PACKAGE_UPDATE_CHECK=true")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return Report{}, fmt.Errorf("%s failed (%w): %s; run make tools to install it again",
			c.Path, err, excerpt(stderr.Bytes(), stdout.Bytes()))
	}
	return ParseReport(stdout.Bytes(), stderr.Bytes())
}

// copyStacks writes a folder for each stack that could be read.
func copyStacks(dir string, stacks []Stack) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, stack := range stacks {
		if stack.Invalid != "" {
			continue
		}
		data, err := stack.scannable()
		if err != nil {
			return fmt.Errorf("stack %s: %w", stack.Name, err)
		}
		folder := filepath.Join(dir, stack.Name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, File), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cleanEnviron drops the variables that change what Checkov does.
func cleanEnviron(environ []string) []string {
	var clean []string
	for _, variable := range environ {
		if !changesCheckov(variable) {
			clean = append(clean, variable)
		}
	}
	return clean
}

func changesCheckov(variable string) bool {
	for _, prefix := range []string{
		"BC_", "CKV_", "CHECKOV_", "PRISMA_", "RENDER_", "CREATE_", "LOG_LEVEL=", "ENABLE_DEFINITION_KEY=", "HOME=",
		"MAX_WILDCARD_ARR_SIZE=", "RAW_TF_IN_GRAPH=", "WORKDIR=",
	} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}
