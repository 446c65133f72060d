// Command planreview turns saved plans into a summary that a reviewer can decide from.
//
//	terraform show -json PLAN | planreview [-env dev] [-stack FILE] [-verdict FILE] [-labels a,b] [-approved FILE]
//	planreview [-labels a,b] cdktf.out/stacks/dev/plan.json cdktf.out/stacks/prod/plan.json ...
//
// The summary goes to stdout; those of several plans fit into one comment together. A plan's environment and stack are found
// where its file is. The exit code tells a pipeline what to do; build the command to see it, since go run turns each but 0
// into 1:
//
//	0  the plan can be read, and nothing is against it
//	2  called wrongly, or a file cannot be read
//	3  the plan needs a label that is not among -labels
//	4  the plan is not what was approved: it does something else than the one in -approved
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
	fine    = 0
	failed  = 2
	refused = 3
	stale   = 4
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type options struct {
	env, stack, verdict, approved string
	labels                        []string
	// gate tells that the labels are known, even if there are none.
	gate bool
	// plans are files, "-" is stdin.
	plans []string
}

// run is the whole command; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return fine
	}
	if err != nil {
		return failed // said already
	}
	reviews, changed, err := o.read(stdin)
	if err == nil {
		_, err = io.WriteString(stdout, planreview.Markdown(reviews...))
	}
	if err != nil {
		fmt.Fprintln(stderr, "planreview:", err)
		return failed
	}
	if len(changed) > 0 {
		fmt.Fprintf(stderr, "planreview: stale: since the plan was approved, something else became of: %s\n", strings.Join(changed, ", "))
		return stale
	}
	if !o.gate {
		return fine
	}
	code := fine
	for _, r := range reviews {
		if missing := r.Verdict().Missing(o.labels); len(missing) > 0 {
			fmt.Fprintf(stderr, "planreview: %s: the plan may lose data: read the summary, then give the pull request the label %s\n",
				r.Name, strings.Join(missing, ", "))
			code = refused
		}
	}
	return code
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("planreview", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.env, "env", "", "the `NAME` of the environment (that of the stack's folder)")
	flags.StringVar(&o.stack, "stack", "", "the synthesized `FILE` (cdk.tf.json beside the plan)")
	flags.StringVar(&o.verdict, "verdict", "", "write the verdict as JSON to this `FILE`")
	flags.StringVar(&o.approved, "approved", "", "the plan that was approved, a `FILE` like the plan itself; the exit code is 4 when they do not do the same")
	flags.Func("labels", "the pull request's labels, with commas between; the exit code is 3 when one is missing",
		func(s string) error {
			o.gate = true
			for _, label := range strings.Split(s, ",") {
				o.labels = append(o.labels, strings.TrimSpace(label))
			}
			return nil
		})
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: planreview [flags] PLAN.json ..., or terraform show -json PLAN | planreview [flags]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o.plans = flags.Args()
	if len(o.plans) == 0 {
		o.plans = []string{"-"}
	}
	if len(o.plans) > 1 && (o.env != "" || o.stack != "" || o.verdict != "" || o.approved != "") {
		err := fmt.Errorf("-env, -stack, -verdict and -approved are of one plan, not of %q; flags come first", o.plans)
		fmt.Fprintln(stderr, "planreview:", err)
		return options{}, err
	}
	return o, nil
}

// read reviews the plans, writes the verdict, and names what is not as approved.
func (o options) read(stdin io.Reader) (reviews []*planreview.Review, changed []string, err error) {
	for _, file := range o.plans {
		plan, err := content(file, stdin)
		if err != nil {
			return nil, nil, err
		}
		about, err := o.about(file)
		if err != nil {
			return nil, nil, err
		}
		r, err := planreview.Read(plan, about)
		if err != nil {
			return nil, nil, err
		}
		reviews = append(reviews, r)
		if o.verdict != "" {
			if err := write(o.verdict, r.Verdict()); err != nil {
				return nil, nil, err
			}
		}
		if o.approved != "" {
			approved, err := os.ReadFile(o.approved)
			if err != nil {
				return nil, nil, err
			}
			if changed, err = planreview.Stale(approved, plan, about); err != nil {
				return nil, nil, err
			}
		}
	}
	return reviews, changed, nil
}

// about finds the stack and the environment's name where the plan is, unless they are given.
func (o options) about(file string) (planreview.Options, error) {
	stack, about := o.stack, planreview.Options{Name: o.env}
	if stack == "" && file != "-" {
		if beside := filepath.Join(filepath.Dir(file), "cdk.tf.json"); exists(beside) {
			stack = beside
		}
	}
	if about.Name == "" && stack != "" {
		about.Name = filepath.Base(filepath.Dir(stack))
	}
	if about.Name == "" {
		about.Name = "plan"
	}
	if stack == "" {
		return about, nil
	}
	var err error
	about.Stack, err = os.ReadFile(stack)
	return about, err
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func content(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

func write(file string, verdict planreview.Verdict) error {
	text, err := json.MarshalIndent(verdict, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
