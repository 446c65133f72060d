// Command live brings the synthesized platform to life on the AWS emulator; see internal/live. Run it in the repository's
// root:
//
//	live up          the platform and the shop on this machine, by cdktf deploy, in containers
//	live demo        the same, and a browser that orders something
//	live screenshots the README's pictures, of what is up
//	live down        stop it and remove what it left
//	live cycle ENV [FOLDER]
//	                 apply an environment, plan again, destroy it; in a temporary copy of FOLDER, or of cdktf.out
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"aws-microservices/internal/live"
)

const usage = `usage: live up          the platform and the shop on this machine, by cdktf deploy, in containers
       live demo        the same, and a browser that orders something
       live screenshots the README's pictures, of what is up
       live down        stop it and remove what it left
       live cycle ENV [FOLDER]
                        apply an environment, plan again, destroy it; in a temporary copy of FOLDER, or of cdktf.out`

// out is where the app synthesizes to.
const out = "cdktf.out"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, func() {
		stop() // the next signal ends the program at once
		fmt.Fprintln(os.Stderr, "\ninterrupted: ending in order; interrupt again to leave everything as it is")
	})
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat("cdktf.json"); err != nil {
		return fmt.Errorf("%s is not the repository's root (no cdktf.json): cd there first", root)
	}
	switch {
	case len(args) == 1 && args[0] == "up":
		return live.Up(ctx, root, out, os.Stdout)
	case len(args) == 1 && args[0] == "screenshots":
		return live.Screenshots(ctx, root, out, os.Stdout)
	case len(args) == 1 && args[0] == "demo":
		return live.Demo(ctx, root, out, os.Stdout)
	case len(args) == 1 && args[0] == "down":
		return live.Down(root, out, os.Stdout)
	case len(args) == 2 && args[0] == "cycle":
		return live.Prove(ctx, root, out, args[1], os.Stdout)
	case len(args) == 3 && args[0] == "cycle":
		return live.Prove(ctx, root, args[2], args[1], os.Stdout)
	default:
		return errors.New(usage)
	}
}
