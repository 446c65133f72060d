// Command deploy releases versions into an environment that runs, and operates it; see internal/release and internal/operate.
// Run it as ./deploy.sh: `go run` makes 1 of any exit code but 0. Its help is in usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"aws-microservices/internal/operate"
	"aws-microservices/internal/release"
	"aws-microservices/stacks"
)

const misuse = 2

const usage = `usage: deploy.sh deploy ENV SERVICE VERSION        release a version, and wait until it serves or has failed
       deploy.sh rollback ENV SERVICE [VERSION]    go back to the release before, or to a named one
       deploy.sh status ENV                        what runs, since when, and what is wrong
       deploy.sh history ENV SERVICE               what was released, newest first
       deploy.sh verify ENV                        fail unless every service runs what it should

       deploy.sh run ENV TASK [-- COMMAND...]      start a one-off task, follow its log, wait for its end
       deploy.sh logs ENV SERVICE                  print the log of a service
       deploy.sh exec ENV SERVICE [-- COMMAND...]  run a command, /bin/sh if none is given, in a task that runs
       deploy.sh redrive ENV QUEUE                 move the dead letters of a queue back to it
       deploy.sh wake ENV                          wake an environment before its time
       deploy.sh sleep ENV                         put it to sleep before its time

VERSION is vX.Y.Z, commit-<hash> with 7 digits or more, or latest. SERVICE is also web, the page.
Flags come right after the command:

  -timeout D      how long to wait, 1h if not given; what was started goes on. Not for exec and logs -follow
  -json           deploy, rollback, status, history, verify: one JSON document on stdout, the steps on stderr
  -force          deploy, rollback: replace a deployment that is under way
  -committed T    deploy: when the commit was made, as 2026-01-31T12:00:00Z; else the image's label says it
  -digest D       deploy: the image that the version is, as sha256:…; refused if it is another one by now. Not for web
  -dir FOLDER     deploy ENV web: where the built page is, apps/web/dist if not given
  -follow         logs: go on as lines come
  -since D        logs: from how long ago, 1h if not given
  -rate N         redrive: how many messages a second, 1 to 500; SQS decides if it is not given

exit codes: 0 all is well: the version serves     2 called wrongly
            1 it failed, or was rolled back       3 refused: nothing was begun, e.g. a deployment is under way,
            4 the waiting ended: what was             there is no such version, nobody is logged in
              started goes on                     run: the exit code of the task's container`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // the next signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stdout, usage)
		return release.ExitServes
	}
	if err != nil {
		fmt.Fprintf(stderr, "deploy: %v\n%s\n", err, usage)
		return misuse
	}
	if !c.follow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("waited for %s", c.timeout))
		defer cancel()
	}
	steps := stdout
	if c.json || c.prints() {
		steps = stderr
	}
	result, err := c.run(ctx, c.releaser(steps), stdout)
	code := exitCode(ctx, err)
	if err != nil {
		fmt.Fprintln(stderr, "deploy:", err)
	}
	if c.json {
		document := document{Result: result, ExitCode: code}
		if err != nil {
			document.Error = err.Error()
		}
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(document); err != nil {
			fmt.Fprintln(stderr, "deploy:", err)
			return release.ExitFailed
		}
	}
	return code
}

// releaser releases as the flags say, and prints its steps.
func (c call) releaser(steps io.Writer) release.Releaser {
	return release.Releaser{
		Operator: operate.Operator{Config: stacks.All, Out: steps},
		Force:    c.force, Committed: c.committed, Digest: c.digest, Folder: c.folder,
	}
}

// document is what -json prints.
type document struct {
	ExitCode int `json:"exitCode"`
	// Error is what a person is told.
	Error string `json:"error,omitempty"`
	// Result is a release.Outcome, several of them, a release.Status or release.Entry list.
	Result any `json:"result"`
}

func exitCode(ctx context.Context, err error) int {
	var exit operate.ExitError
	code := release.ExitCode(err)
	switch {
	case errors.As(err, &exit):
		return exit.Code
	case code == release.ExitFailed && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return release.ExitUnfinished
	}
	return code
}

// call is what the command was called with.
type call struct {
	command string
	timeout time.Duration
	rate    int
	json    bool
	force   bool
	// committed is zero if it is not given.
	committed time.Time
	digest    string
	folder    string
	follow    bool
	since     time.Duration
	args      []string
}

// commands are what each takes: its arguments by name, those that may be left out, and whether a command may follow.
var commands = map[string]struct {
	takes    []string
	optional int
	command  bool
}{
	"deploy":   {[]string{"an environment", "a service", "a version"}, 0, false},
	"rollback": {[]string{"an environment", "a service", "a version"}, 1, false},
	"status":   {[]string{"an environment"}, 0, false},
	"history":  {[]string{"an environment", "a service"}, 0, false},
	"verify":   {[]string{"an environment"}, 0, false},
	"run":      {[]string{"an environment", "a task"}, 0, true},
	"logs":     {[]string{"an environment", "a service"}, 0, false},
	"exec":     {[]string{"an environment", "a service"}, 0, true},
	"redrive":  {[]string{"an environment", "a queue"}, 0, false},
	"wake":     {[]string{"an environment"}, 0, false},
	"sleep":    {[]string{"an environment"}, 0, false},
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// flagsOf defines the flags of a command.
func (c *call) flagsOf() *flag.FlagSet {
	flags := flag.NewFlagSet(c.command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.DurationVar(&c.timeout, "timeout", time.Hour, "")
	if slices.Contains([]string{"deploy", "rollback", "status", "history", "verify"}, c.command) {
		flags.BoolVar(&c.json, "json", false, "")
	}
	switch c.command {
	case "deploy":
		flags.BoolVar(&c.force, "force", false, "")
		flags.StringVar(&c.folder, "dir", "apps/web/dist", "")
		flags.Func("digest", "", func(text string) error {
			if !digestForm.MatchString(text) {
				return errors.New("write sha256: and 64 digits")
			}
			c.digest = text
			return nil
		})
		flags.Func("committed", "", func(text string) (err error) {
			c.committed, err = time.Parse(time.RFC3339, text)
			return err
		})
	case "rollback":
		flags.BoolVar(&c.force, "force", false, "")
	case "logs":
		flags.BoolVar(&c.follow, "follow", false, "")
		flags.DurationVar(&c.since, "since", time.Hour, "")
	case "redrive":
		flags.IntVar(&c.rate, "rate", 0, "")
	}
	return flags
}

func parse(args []string) (call, error) {
	if len(args) == 0 {
		return call{}, errors.New("name a command")
	}
	c := call{command: args[0]}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, c.command) {
		return call{}, flag.ErrHelp
	}
	wanted, known := commands[c.command]
	if !known {
		return call{}, fmt.Errorf("there is no command %q", c.command)
	}
	flags := c.flagsOf()
	if err := flags.Parse(args[1:]); err != nil {
		return call{}, err
	}
	if c.timeout <= 0 {
		return call{}, fmt.Errorf("%s: a timeout of %s: write one such as 90m", c.command, c.timeout)
	}
	c.args = flags.Args()
	for i, what := range wanted.takes {
		missing := i >= len(c.args)
		if missing && i >= len(wanted.takes)-wanted.optional {
			break
		}
		if missing || c.args[i] == "" || c.args[i] == "--" {
			return call{}, fmt.Errorf("%s: name %s", c.command, what)
		}
	}
	if c.digest != "" && c.args[1] == release.Web {
		return call{}, fmt.Errorf("%s: -digest is an image's, and %s has none", c.command, release.Web)
	}
	rest := c.args[min(len(c.args), len(wanted.takes)):]
	if len(rest) > 0 && (!wanted.command || rest[0] != "--" || len(rest) == 1) {
		return call{}, fmt.Errorf("%s: what is %q? Flags come first, and a task's own command after --", c.command, rest)
	}
	return c, nil
}

// prints tells whether what the command is asked for goes to stdout, so that its steps do not.
func (c call) prints() bool {
	return slices.Contains([]string{"status", "history", "logs", "exec"}, c.command)
}

// command is what follows --.
func (c call) after() []string {
	if len(c.args) > 2 {
		return c.args[3:]
	}
	return nil
}

// run does what was called for. The result is what -json prints.
func (c call) run(ctx context.Context, r release.Releaser, stdout io.Writer) (any, error) {
	environment := c.args[0]
	switch c.command {
	case "deploy":
		return r.Deploy(ctx, environment, c.args[1], c.args[2])
	case "rollback":
		version := ""
		if len(c.args) > 2 {
			version = c.args[2]
		}
		return r.Rollback(ctx, environment, c.args[1], version)
	case "status":
		status, err := r.Status(ctx, environment)
		if err == nil && !c.json {
			status.Print(stdout)
		}
		return status, err
	case "history":
		history, err := r.History(ctx, environment, c.args[1])
		if err == nil && !c.json {
			release.PrintHistory(stdout, history)
		}
		return history, err
	case "verify":
		return r.Verify(ctx, environment)
	case "run":
		return nil, r.Run(ctx, environment, c.args[1], c.after())
	case "logs":
		return nil, r.Logs(ctx, environment, c.args[1], c.since, c.follow, stdout)
	case "exec":
		return nil, r.Exec(ctx, environment, c.args[1], c.after())
	case "redrive":
		return nil, r.Redrive(ctx, environment, c.args[1], c.rate)
	case "wake":
		return nil, r.Wake(ctx, environment)
	default:
		return nil, r.Sleep(ctx, environment)
	}
}
