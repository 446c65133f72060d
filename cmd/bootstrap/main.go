// Command bootstrap creates or updates the bucket and the lock table that hold Terraform's state; see
// internal/bootstrap. It may be run any number of times, and again after a run that died.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"aws-microservices/internal/bootstrap"
)

func main() {
	dir := flag.String("dir", "cdktf.out", "folder of the synthesized stacks")
	verbose := flag.Bool("v", false, "show Terraform's own output")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	options := bootstrap.Options{Dir: *dir, Out: os.Stdout}
	if *verbose {
		options.Log = os.Stderr
	}
	if err := bootstrap.Run(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
