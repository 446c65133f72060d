package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/emulator"
	"aws-microservices/internal/live/stack"
	"aws-microservices/stacks"
)

// Sandbox is a place where tests bring up the shop: an emulator that runs tasks, and a copy of the JSON to apply to it.
type Sandbox struct {
	*Shop
	// Out is the copy of cdktf.out, Env the environment of programs that use the emulator.
	Out string
	Env []string
	// Without says why tasks run as processes; nil where they run in containers.
	Without error
}

// OpenSandbox starts an emulator below a folder, for the environment dev. The log receives what programs print.
func OpenSandbox(ctx context.Context, root, dir string, log io.Writer) (*Sandbox, error) {
	e, without, err := StartEmulator(ctx, emulator.Config{Root: root, Dir: filepath.Join(dir, "emulator")})
	if err != nil {
		return nil, err
	}
	s := &Sandbox{Out: filepath.Join(dir, "cdktf.out"), Without: without}
	if s.Shop, err = OpenShop(ctx, root, e, stacks.Dev, log); err != nil {
		return nil, err
	}
	out := filepath.Join(root, "cdktf.out")
	names, err := stack.Names(out)
	if err != nil {
		return s, err
	}
	if err := Copy(out, s.Out, names...); err != nil {
		return s, err
	}
	s.Env, err = Environ(e, s.Out)
	return s, err
}

// Bootstrap makes what keeps Terraform's state.
func (s *Sandbox) Bootstrap(ctx context.Context) error {
	return bootstrap.Run(ctx, bootstrap.Options{Dir: s.Out, Env: s.Env, Log: s.Log})
}

// Stack opens one of the copies, ready to be planned.
func (s *Sandbox) Stack(ctx context.Context, name string) (*stack.Stack, error) {
	opened, err := stack.Open(s.Out, name, stack.Options{Env: s.Env, Log: s.Log})
	if err != nil {
		return nil, err
	}
	return opened, opened.Init(ctx)
}

// Apply applies one of the copies, after making the hosted zones it looks up.
func (s *Sandbox) Apply(ctx context.Context, name string) error {
	opened, err := s.Stack(ctx, name)
	if err != nil {
		return err
	}
	if err := MakeZones(ctx, opened, s.Env); err != nil {
		return err
	}
	return opened.Apply(ctx)
}

// Close ends the emulator after tests that ended with the code, and removes the folder of both unless something failed: the logs
// are in it. It returns the code to exit with.
func (s *Sandbox) Close(dir string, code int) int {
	if err := s.Emulator.Kill(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		os.RemoveAll(dir)
	} else {
		fmt.Fprintln(os.Stderr, "logs are kept in", dir)
	}
	return code
}

// UseMirror leads Terraform to the local mirror of the providers that make tools found, if any, whoever started this process.
func UseMirror(root string) {
	mirror := filepath.Join(root, ".tools", "terraformrc")
	if _, err := os.Stat(mirror); err == nil {
		os.Setenv("TF_CLI_CONFIG_FILE", mirror)
	}
}
