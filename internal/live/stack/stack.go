// Package stack opens one synthesized stack and runs Terraform in its folder.
//
//	cdktf.out/stacks/dev/cdk.tf.json -> Open -> Init -> Plan -> Apply -> State -> Destroy
//
// The JSON is only read. Where Terraform's state lives, which account a stack belongs to and which resources are
// protected from being destroyed all come from it, so nothing about the platform is repeated here.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// File is the name of the synthesized JSON in a stack's folder.
const File = "cdk.tf.json"

// OverrideFile is what Terraform merges over File, block by block; git ignores it.
// https://developer.hashicorp.com/terraform/language/files/override
const OverrideFile = "override.tf.json"

// interruptWait is how long an interrupted Terraform may take to finish its requests and save the state before it is
// killed. A killed Terraform may forget what it just made.
const interruptWait = 5 * time.Minute

// Backend says where a stack's state lives.
type Backend struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Region string `json:"region"`
	Table  string `json:"dynamodb_table"`
}

// String is the address of the state, as the AWS CLI would write it.
func (b Backend) String() string { return "s3://" + b.Bucket + "/" + b.Key }

// Options say how Terraform is run.
type Options struct {
	// Env is the whole environment of Terraform.
	// Defaults to that of this process.
	Env []string
	// Log receives Terraform's own output.
	// Defaults to nothing; errors carry what Terraform wrote to stderr either way.
	Log io.Writer
}

// Stack is one folder of synthesized JSON.
type Stack struct {
	Name    string
	Dir     string
	Backend Backend
	// Account is the one account the stack's provider accepts, empty where it accepts any.
	Account string
	// Resources are the managed resources the JSON declares, sorted by address.
	Resources []Resource
	// Zones are the hosted zones the JSON looks up by their names, sorted.
	Zones []string

	tf *tfexec.Terraform
}

// Resource is one managed resource as the JSON declares it.
type Resource struct {
	Type, Name string
	Config     map[string]any
}

// Address is how Terraform names the resource.
func (r Resource) Address() string { return r.Type + "." + r.Name }

// document is what is read of the synthesized JSON.
type document struct {
	Terraform struct {
		Backend map[string]json.RawMessage `json:"backend"`
	} `json:"terraform"`
	Provider map[string][]struct {
		Alias   string   `json:"alias"`
		Allowed []string `json:"allowed_account_ids"`
	} `json:"provider"`
	Resource map[string]map[string]map[string]any `json:"resource"`
	Data     struct {
		Zones map[string]struct {
			Name string `json:"name"`
		} `json:"aws_route53_zone"`
	} `json:"data"`
}

// Names lists the stacks synthesized into a cdktf.out folder, sorted.
func Names(out string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(out, "stacks", "*", File))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no stacks/*/%s in %s: synthesize first (make synth), in the repository's root", File, out)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(filepath.Dir(file))
	}
	slices.Sort(names)
	return names, nil
}

// Open reads the stack called name in a cdktf.out folder.
func Open(out, name string, o Options) (*Stack, error) {
	dir, err := filepath.Abs(filepath.Join(out, "stacks", name))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, File)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("stack %q is not synthesized (%s is missing): run make synth in the repository's root", name, file)
	}
	if err != nil {
		return nil, err
	}
	s := &Stack{Name: name, Dir: dir}
	if err := s.read(text); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return s, s.runner(o)
}

func (s *Stack) read(text []byte) error {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	s3, ok := doc.Terraform.Backend["s3"]
	if !ok {
		return errors.New("the stack has no S3 backend: give it one, its state must not live on one machine")
	}
	if err := json.Unmarshal(s3, &s.Backend); err != nil {
		return fmt.Errorf("terraform.backend.s3: %w", err)
	}
	if s.Backend.Bucket == "" || s.Backend.Key == "" || s.Backend.Region == "" {
		return fmt.Errorf("terraform.backend.s3 is incomplete (bucket %q, key %q, region %q): set all three",
			s.Backend.Bucket, s.Backend.Key, s.Backend.Region)
	}
	for _, provider := range doc.Provider["aws"] {
		if provider.Alias == "" && len(provider.Allowed) == 1 {
			s.Account = provider.Allowed[0]
		}
	}
	for kind, byName := range doc.Resource {
		for name, config := range byName {
			s.Resources = append(s.Resources, Resource{Type: kind, Name: name, Config: config})
		}
	}
	slices.SortFunc(s.Resources, func(a, b Resource) int { return strings.Compare(a.Address(), b.Address()) })
	for _, zone := range doc.Data.Zones {
		s.Zones = append(s.Zones, zone.Name)
	}
	slices.Sort(s.Zones)
	return nil
}

func (s *Stack) runner(o Options) error {
	path, err := exec.LookPath("terraform")
	if err != nil {
		return errors.New("terraform is not on PATH: install it from https://developer.hashicorp.com/terraform/install")
	}
	s.tf, err = tfexec.NewTerraform(s.Dir, path)
	if err != nil {
		return err
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if err := s.tf.SetEnv(environment(o.Env)); err != nil {
		return err
	}
	if o.Log != nil {
		s.tf.SetStdout(o.Log)
		s.tf.SetStderr(o.Log)
	}
	return s.tf.SetWaitDelay(interruptWait)
}

// environment turns KEY=VALUE pairs into what terraform-exec takes. It refuses variables that would change what
// Terraform does behind our back (TF_CLI_ARGS, TF_VAR_x, TF_WORKSPACE); TF_DATA_DIR would make all stacks share one.
func environment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		env[key] = value
	}
	delete(env, "TF_DATA_DIR")
	return tfexec.CleanEnv(env)
}

// Path is a file in the stack's folder.
func (s *Stack) Path(file string) string { return filepath.Join(s.Dir, file) }

// Override writes what Terraform shall merge over the JSON, until RemoveOverride.
func (s *Stack) Override(content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.Path(OverrideFile), append(text, '\n'), 0o644)
}

// RemoveOverride leaves the JSON alone again.
func (s *Stack) RemoveOverride() error {
	if err := os.Remove(s.Path(OverrideFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Init prepares the folder for the backend the configuration names now. What an earlier run noted about another
// backend in .terraform is not asked: it would be a second truth beside the JSON.
func (s *Stack) Init(ctx context.Context) error {
	return s.wrap(ctx, "init", s.tf.Init(ctx, tfexec.Reconfigure(true)))
}

// Validate checks the configuration against the provider's schema, without any backend or account.
func (s *Stack) Validate(ctx context.Context) error {
	if err := s.tf.Init(ctx, tfexec.Backend(false)); err != nil {
		return s.wrap(ctx, "init -backend=false", err)
	}
	result, err := s.tf.Validate(ctx)
	if err != nil {
		return s.wrap(ctx, "validate", err)
	}
	var errs []error
	for _, d := range result.Diagnostics {
		if d.Severity == "error" {
			errs = append(errs, fmt.Errorf("stack %s: %s: %s", s.Name, d.Summary, d.Detail))
		}
	}
	return errors.Join(errs...)
}

// Apply brings the world in line with the configuration, or with a plan file given by tfexec.DirOrPlan.
func (s *Stack) Apply(ctx context.Context, opts ...tfexec.ApplyOption) error {
	return s.wrap(ctx, "apply", s.tf.Apply(ctx, opts...))
}

// Destroy removes everything the state knows.
func (s *Stack) Destroy(ctx context.Context) error {
	return s.wrap(ctx, "destroy", s.tf.Destroy(ctx))
}

// Import makes Terraform manage a resource that exists already.
func (s *Stack) Import(ctx context.Context, address, id string) error {
	return s.wrap(ctx, "import "+address, s.tf.Import(ctx, address, id))
}

// Unlock removes the lock a dead run left behind.
func (s *Stack) Unlock(ctx context.Context, id string) error {
	return s.wrap(ctx, "force-unlock", s.tf.ForceUnlock(ctx, id))
}

// Outputs are the stack's outputs as Terraform's state holds them.
func (s *Stack) Outputs(ctx context.Context) (map[string]tfexec.OutputMeta, error) {
	outputs, err := s.tf.Output(ctx)
	return outputs, s.wrap(ctx, "output", err)
}
