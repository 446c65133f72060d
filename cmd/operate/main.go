// Command operate is for operators of an environment that runs; see internal/operate.
//
//	operate run ENV TASK [-- COMMAND...]   start a one-off task, follow its log, wait for its end
//	operate redrive ENV QUEUE              move the dead letters of a queue back to it
//	operate wake ENV                       wake an environment before its time
//	operate sleep ENV                      put it to sleep before its time
//
// It exits with 0 when all is well, with 2 when it was called wrongly, and with 1 when something else went wrong. run
// exits with the exit code of the container; `go run` makes 1 of any but 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"aws-microservices/internal/operate"
	"aws-microservices/stacks"
)

const (
	failed = 1
	misuse = 2
)

const usage = `usage: operate run [-timeout D] ENV TASK [-- COMMAND...]   start a one-off task, follow its log, wait for its end
       operate redrive [-timeout D] [-rate N] ENV QUEUE    move the dead letters of a queue back to it
       operate wake [-timeout D] ENV                       wake an environment before its time
       operate sleep [-timeout D] ENV                      put it to sleep before its time

-timeout is how long to wait, 1h if not given; what was started goes on
-rate is how many messages are moved a second, 1 to 500; SQS decides if it is not given`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // the next signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "operate: %v\n%s\n", err, usage)
		return misuse
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("waited for %s", c.timeout))
	defer cancel()
	err = c.run(ctx, operate.Operator{Config: stacks.All, Out: stdout})
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "operate:", err)
	var exit operate.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return failed
}

// call is what the command was called with.
type call struct {
	command string
	timeout time.Duration
	rate    int
	args    []string
}

// names are what each command takes.
var names = map[string][]string{
	"run":     {"an environment", "a task"},
	"redrive": {"an environment", "a queue"},
	"wake":    {"an environment"},
	"sleep":   {"an environment"},
}

func parse(args []string) (call, error) {
	if len(args) == 0 {
		return call{}, errors.New("name a command")
	}
	c := call{command: args[0]}
	wanted, known := names[c.command]
	if !known {
		return call{}, fmt.Errorf("there is no command %q", c.command)
	}
	flags := flag.NewFlagSet(c.command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&c.timeout, "timeout", time.Hour, "")
	if c.command == "redrive" {
		flags.IntVar(&c.rate, "rate", 0, "")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return call{}, err
	}
	if c.timeout <= 0 {
		return call{}, fmt.Errorf("%s: a timeout of %s: write one such as 90m", c.command, c.timeout)
	}
	c.args = flags.Args()
	for i, what := range wanted {
		if i >= len(c.args) || c.args[i] == "" || c.args[i] == "--" {
			return call{}, fmt.Errorf("%s: name %s", c.command, what)
		}
	}
	if rest := c.args[len(wanted):]; len(rest) > 0 && (c.command != "run" || rest[0] != "--" || len(rest) == 1) {
		return call{}, fmt.Errorf("%s: what is %q? Flags come first, and a task's own command after --", c.command, rest)
	}
	return c, nil
}

func (c call) run(ctx context.Context, o operate.Operator) error {
	switch c.command {
	case "run":
		var command []string
		if len(c.args) > 2 {
			command = c.args[3:]
		}
		return o.Run(ctx, c.args[0], c.args[1], command)
	case "redrive":
		return o.Redrive(ctx, c.args[0], c.args[1], c.rate)
	case "wake":
		return o.Wake(ctx, c.args[0])
	default:
		return o.Sleep(ctx, c.args[0])
	}
}
