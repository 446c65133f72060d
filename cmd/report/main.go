// Command report tells CloudWatch what became of the workflow run that it is a job of; see internal/pipeline.
//
//	go run ./cmd/report
//
// It takes what GitHub sets in every job, the token of gh in GH_TOKEN, and AWS's settings. The action report runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"aws-microservices/internal/github"
	"aws-microservices/internal/pipeline"
	"aws-microservices/internal/sdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := report(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func report(ctx context.Context, env func(string) string) error {
	run, err := current(env)
	if err != nil {
		return err
	}
	cfg, err := sdk.Load(ctx, env("AWS_REGION"))
	if err != nil {
		return err
	}
	return pipeline.Reporter{GitHub: github.CLI, AWS: cfg, Out: os.Stdout}.Report(ctx, run)
}

// current is the run that this is a job of.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables
func current(env func(string) string) (pipeline.Run, error) {
	var problems []string
	text := func(name string) string {
		if env(name) == "" {
			problems = append(problems, name+" is empty: run this in a job of GitHub Actions")
		}
		return env(name)
	}
	number := func(name string) int {
		n, err := strconv.Atoi(text(name))
		if err != nil && env(name) != "" {
			problems = append(problems, fmt.Sprintf("%s is %q: a number is needed", name, env(name)))
		}
		return n
	}
	run := pipeline.Run{
		Repository: text("GITHUB_REPOSITORY"), Workflow: text("GITHUB_WORKFLOW"),
		ID: number("GITHUB_RUN_ID"), Attempt: number("GITHUB_RUN_ATTEMPT"),
	}
	text("AWS_REGION")
	if len(problems) > 0 {
		return run, fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return run, nil
}
