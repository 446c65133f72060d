// Command scan judges the synthesized stacks with Checkov, tfsec and the exceptions that constructs carry.
//
//	go run ./cmd/scan [-checkov PATH] [-tfsec PATH] [-exceptions] [-sarif FILE] -hcl DIR [DIR]
//
// DIR holds a folder with a cdk.tf.json for each stack, the DIR of -hcl one with its cdk.tf. The exit code is 0 when all
// stacks pass, 1 when there are problems, all of them printed with their remedy, and 2 when nothing could be judged.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"aws-microservices/internal/scan"
)

const (
	passed   = 0
	problems = 1
	failed   = 2
)

// limit is far more than the scanners need; it ends a run that hangs.
const limit = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return passed
	}
	if err != nil {
		return failed // said already
	}
	verdict, err := judge(ctx, opts)
	if err != nil {
		fmt.Fprintln(stderr, "scan:", err)
		return failed
	}
	verdict.Print(stdout, opts.exceptions)
	if err := writeSARIF(verdict, opts); err != nil {
		fmt.Fprintln(stderr, "scan:", err)
		return failed
	}
	if len(verdict.Problems) > 0 {
		return problems
	}
	return passed
}

type options struct {
	checkov    string
	tfsec      string
	exceptions bool
	sarif      string
	hcl        string
	dir        string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.checkov, "checkov", filepath.FromSlash(".tools/checkov/bin/checkov"), "the `PATH` of checkov")
	flags.StringVar(&opts.tfsec, "tfsec", filepath.FromSlash(".tools/bin/tfsec"), "the `PATH` of tfsec")
	flags.BoolVar(&opts.exceptions, "exceptions", false, "list the exceptions with their reasons")
	flags.StringVar(&opts.sarif, "sarif", "", "write the problems to `FILE` for GitHub's code scanning")
	flags.StringVar(&opts.hcl, "hcl", "", "the `DIR` with the same stacks, synthesized with SYNTH_HCL_OUTPUT=true")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: go run ./cmd/scan [-checkov PATH] [-tfsec PATH] [-exceptions] [-sarif FILE] -hcl DIR [DIR]")
		fmt.Fprintln(stderr, "judges the stacks in DIR (cdktf.out/stacks) with Checkov, tfsec and the exceptions beside the constructs")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	opts.dir = filepath.FromSlash("cdktf.out/stacks")
	var err error
	switch {
	case opts.hcl == "":
		err = errors.New("-hcl is missing: make scan synthesizes the HCL and names its folder")
	case flags.NArg() > 1:
		err = fmt.Errorf("one folder at most, not %q; flags come first", flags.Args())
	case flags.NArg() == 1:
		opts.dir = flags.Arg(0)
	}
	if err != nil {
		fmt.Fprintln(stderr, "scan:", err)
		flags.Usage()
		return options{}, err
	}
	return opts, nil
}

func judge(ctx context.Context, opts options) (scan.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stacks, err := scan.LoadStacks(opts.dir)
	if err != nil {
		return scan.Verdict{}, err
	}
	json, err := scan.Checkov{Path: opts.checkov}.Scan(ctx, stacks)
	if err != nil {
		return scan.Verdict{}, err
	}
	hcl, err := scan.Tfsec{Path: opts.tfsec, HCL: opts.hcl}.Scan(ctx, stacks)
	if err != nil {
		return scan.Verdict{}, err
	}
	return scan.Judge(stacks, time.Now(), json, hcl), nil
}

// writeSARIF writes the SARIF file, if one is wanted.
func writeSARIF(verdict scan.Verdict, opts options) error {
	if opts.sarif == "" {
		return nil
	}
	var text bytes.Buffer
	if err := verdict.SARIF(&text, opts.dir); err != nil {
		return err
	}
	return os.WriteFile(opts.sarif, text.Bytes(), 0o644)
}
