// Command repository sets up the GitHub repository of stacks.All.Shared.Repository for the pipelines; see internal/repository.
//
//	go run ./cmd/repository -reviewers alice,team:platform [-dry-run]
//
// gh has to be logged in as an administrator of the repository. It may be run at any time: what is right already stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"aws-microservices/internal/github"
	"aws-microservices/internal/repository"
	"aws-microservices/stacks"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], github.CLI, os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, gh github.GH, stdout, stderr io.Writer) int {
	const misuse = 2
	setup := repository.Setup{Config: stacks.All, GitHub: gh, Out: stdout}
	flags := flag.NewFlagSet("repository", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Func("reviewers", "who approves what goes to production: `USERS` and teams, e.g. alice,team:platform", func(list string) error {
		setup.Reviewers = strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
		return nil
	})
	flags.BoolVar(&setup.DryRun, "dry-run", false, "say what would change, and change nothing")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return misuse // said already
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "repository: %q is no flag\n", flags.Args())
		flags.Usage()
		return misuse
	}
	if err := setup.Run(ctx); err != nil {
		fmt.Fprintln(stderr, "repository:", err)
		return 1
	}
	return 0
}
