// Command examples synthesizes one of the sample systems beside it:
//
//	go run ./examples boutique    Google's Online Boutique
//	go run ./examples sockshop    Weaveworks' Sock Shop
//	go run ./examples options     what neither the shop nor these two choose
//
// The stacks are written to examples/<name>/cdktf.out, or to the folder named after it.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aws-microservices/examples/boutique"
	"aws-microservices/examples/options"
	"aws-microservices/examples/sockshop"
	"aws-microservices/stacks"
)

var systems = map[string]stacks.Config{"boutique": boutique.Config, "options": options.Config, "sockshop": sockshop.Config}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	known := strings.Join(slices.Sorted(maps.Keys(systems)), ", ")
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("usage: go run ./examples NAME [FOLDER], where NAME is one of %s", known)
	}
	config, found := systems[args[0]]
	if !found {
		return fmt.Errorf("there is no example %q: choose one of %s", args[0], known)
	}
	out := filepath.Join("examples", args[0], "cdktf.out")
	if len(args) == 2 {
		out = args[1]
	}
	if err := stacks.Synthesize(config, out); err != nil {
		return err
	}
	fmt.Println("synthesized", out)
	return nil
}
