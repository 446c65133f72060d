// Command planreview turns a saved plan into a summary that a reviewer can decide from.
//
//	terraform show -json PLAN | planreview [-env dev] [-stack FILE] [-verdict FILE] [-labels a,b] [FILE]
//
// The summary goes to stdout. The exit code is 0 for a plan that can be read, 2 for what cannot, and 3 when -labels is
// given and the plan needs one that is not among them. Build it to see them: go run turns each of them into 1.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"aws-microservices/internal/planreview"
)

const (
	readable = 0
	failed   = 2
	refused  = 3
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type options struct {
	env, stack, verdict string
	labels              []string
	// gate tells that the labels are known, even if there are none.
	gate bool
	plan string
}

// run is the whole command; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return readable
	}
	if err != nil {
		return failed // said already
	}
	verdict, err := review(o, stdin, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "planreview:", err)
		return failed
	}
	if missing := verdict.Missing(o.labels); o.gate && len(missing) > 0 {
		fmt.Fprintf(stderr, "planreview: the plan may lose data: read the summary, then give the pull request the label %s\n",
			strings.Join(missing, ", "))
		return refused
	}
	return readable
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("planreview", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.env, "env", "", "the `NAME` of the environment (that of the stack's folder)")
	flags.StringVar(&o.stack, "stack", "", "the synthesized `FILE` (cdk.tf.json beside the plan)")
	flags.StringVar(&o.verdict, "verdict", "", "write the verdict as JSON to this `FILE`")
	flags.Func("labels", "the pull request's labels, with commas between; the exit code is 3 when one is missing",
		func(s string) error {
			o.gate = true
			for _, label := range strings.Split(s, ",") {
				o.labels = append(o.labels, strings.TrimSpace(label))
			}
			return nil
		})
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: terraform show -json PLAN | planreview [flags] [FILE]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 1 {
		err := fmt.Errorf("one plan at most, not %q; flags come first", flags.Args())
		fmt.Fprintln(stderr, "planreview:", err)
		return options{}, err
	}
	o.plan = flags.Arg(0)
	o.beside()
	return o, nil
}

// beside finds the stack and the environment's name where the plan is.
func (o *options) beside() {
	if o.stack == "" && o.plan != "" {
		if file := filepath.Join(filepath.Dir(o.plan), "cdk.tf.json"); exists(file) {
			o.stack = file
		}
	}
	if o.env == "" && o.stack != "" {
		o.env = filepath.Base(filepath.Dir(o.stack))
	}
	if o.env == "" {
		o.env = "plan"
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func review(o options, stdin io.Reader, stdout io.Writer) (planreview.Verdict, error) {
	plan, err := read(o.plan, stdin)
	if err != nil {
		return planreview.Verdict{}, err
	}
	var stack []byte
	if o.stack != "" {
		if stack, err = os.ReadFile(o.stack); err != nil {
			return planreview.Verdict{}, err
		}
	}
	r, err := planreview.Read(plan, planreview.Options{Name: o.env, Stack: stack})
	if err != nil {
		return planreview.Verdict{}, err
	}
	verdict := r.Verdict()
	if o.verdict != "" {
		text, err := json.MarshalIndent(verdict, "", "  ")
		if err != nil {
			return planreview.Verdict{}, err
		}
		if err := os.WriteFile(o.verdict, append(text, '\n'), 0o644); err != nil {
			return planreview.Verdict{}, err
		}
	}
	_, err = io.WriteString(stdout, r.Markdown())
	return verdict, err
}

func read(file string, stdin io.Reader) ([]byte, error) {
	if file == "" || file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}
