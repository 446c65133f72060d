package live

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secrettypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"aws-microservices/internal/containers"
	"aws-microservices/internal/emulator"
	"aws-microservices/internal/operate"
	"aws-microservices/internal/release"
	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// Shop is the shop's software on the emulated platform, in one environment:
//
//	apps/<service> -> image -> registry -> tasks        apps/web -> site's bucket        pictures -> media bucket
//
// Where the emulator runs no containers, a program in its folder is both image and registry.
type Shop struct {
	// Root is the repository's.
	Root        string
	Environment stacks.Environment
	Emulator    *emulator.Emulator
	// Log receives what the builds print.
	Log io.Writer

	aws aws.Config
	ecs *ecs.Client
	// What the images and the page are built from, and what they are called.
	commit, version string
}

// releaseTime is how long a release may take until it serves.
const releaseTime = 5 * time.Minute

// StartEmulator starts an emulator that runs the services in containers or, where the machine cannot, as processes: then without
// says why.
func StartEmulator(ctx context.Context, c emulator.Config) (e *emulator.Emulator, without error, err error) {
	c.Containers = true
	e, err = emulator.Start(ctx, c)
	if unavailable := new(containers.UnavailableError); errors.As(err, &unavailable) {
		without = unavailable
		c.Containers, c.Binaries = false, filepath.Join(c.Dir, "programs")
		e, err = emulator.Start(ctx, c)
	}
	return e, without, err
}

// OpenShop is the shop in an environment of an emulator that runs tasks, in containers or as processes.
func OpenShop(ctx context.Context, root string, e *emulator.Emulator, environment stacks.Environment, log io.Writer) (*Shop, error) {
	s := &Shop{Root: root, Environment: environment, Emulator: e, Log: log}
	var err error
	s.aws, err = sdk.Load(ctx, environment.Region, emulated(e, environment.AccountID)...)
	s.ecs = ecs.NewFromConfig(s.aws)
	s.commit = s.revision(ctx)
	s.version = "commit-" + s.commit[:12]
	return s, err
}

// emulated are the SDK's settings for an account of the emulator, whatever this process's environment says.
func emulated(e *emulator.Emulator, account string) []func(*config.LoadOptions) error {
	return []func(*config.LoadOptions) error{
		config.WithBaseEndpoint(e.URL()),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(account, "emulator", "")),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
	}
}

// Config is the SDK's, for the environment's account.
func (s *Shop) Config() aws.Config { return s.aws }

// ConfigOf is the same for the account of another environment.
func (s *Shop) ConfigOf(ctx context.Context, e stacks.Environment) (aws.Config, error) {
	return sdk.Load(ctx, e.Region, emulated(s.Emulator, e.AccountID)...)
}

// Operator are the SDK's settings of somebody who is logged in to the account that the environments share.
func (s *Shop) Operator() []func(*config.LoadOptions) error {
	return emulated(s.Emulator, stacks.All.Shared.AccountID)
}

// Cluster is where the shop's services run.
func (s *Shop) Cluster() string { return stacks.All.Platform.Name + "-" + s.Environment.Name }

func (s *Shop) services() []stacks.Service { return stacks.All.Platform.Services }

// revision is the commit that the images and the page are built from. What is not committed yet has none: the hash of all files
// stands for it, so that what differs has another version.
func (s *Shop) revision(ctx context.Context) string {
	index := filepath.Join(os.TempDir(), fmt.Sprintf("index-%d", os.Getpid()))
	defer os.Remove(index)
	git := func(arguments ...string) string {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", s.Root}, arguments...)...)
		cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+index)
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	git("read-tree", "HEAD")
	git("add", "--all")
	tree := git("write-tree")
	switch tree {
	case "": // not a checkout but an archive of one: nobody knows whether it changed
		return fmt.Sprintf("%x", sha256.Sum256([]byte(time.Now().String())))[:40]
	case git("rev-parse", "HEAD^{tree}"):
		return git("rev-parse", "HEAD")
	}
	return tree
}

// created is when the commit was made; "" outside a checkout.
func (s *Shop) created(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "-C", s.Root, "show", "--no-patch", "--format=%cI", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// Build builds the image of every service, or its program alone, and the page.
func (s *Shop) Build(ctx context.Context) error {
	build := s.buildImages
	if s.Emulator.Engine == nil {
		build = s.buildPrograms
	}
	if err := build(ctx); err != nil {
		return err
	}
	return s.BuildPage(ctx)
}

func (s *Shop) buildImages(ctx context.Context) error {
	for _, image := range []containers.Image{containers.Go, containers.PostgreSQL} {
		how, err := s.Emulator.Engine.Provide(ctx, image)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Log, "%s: %s\n", image.Name, how)
	}
	for _, one := range s.services() {
		err := s.Emulator.Engine.Build(ctx, s.Log, filepath.Join(s.Root, "apps"), filepath.Join(s.Root, "apps", one.Name, "Dockerfile"),
			s.image(one.Name), "VERSION="+s.version, "COMMIT="+s.commit, "CREATED="+s.created(ctx))
		if err != nil {
			return err
		}
	}
	return nil
}

// buildPrograms builds what the images would have in them.
func (s *Shop) buildPrograms(ctx context.Context) error {
	flags := fmt.Sprintf("-s -w -X shop/internal/build.Version=%s -X shop/internal/build.Commit=%s", s.version, s.commit)
	arguments := []string{"build", "-trimpath", "-ldflags", flags, "-o", s.Emulator.Binaries + string(filepath.Separator)}
	for _, one := range s.services() {
		arguments = append(arguments, "./"+one.Name)
	}
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = filepath.Join(s.Root, "apps")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build in apps: %w", err)
	}
	return nil
}

// BuildPage builds apps/web into its folder dist.
func (s *Shop) BuildPage(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "make", "page")
	cmd.Dir = s.Root
	cmd.Env = append(os.Environ(), "VITE_VERSION="+s.version, "VITE_COMMIT="+s.commit)
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	return nil
}

// image is the name under which the engine knows a service's image, at the address of the emulator's registry.
func (s *Shop) image(service string) string {
	return fmt.Sprintf("%s/%s/%s:%s", strings.TrimPrefix(s.Emulator.URL(), "http://"), stacks.All.Platform.Name, service, s.version)
}

// Push sends the images to the registry, which the shared stack has made. There is nothing to send where none are built.
func (s *Shop) Push(ctx context.Context) error {
	if s.Emulator.Engine == nil {
		return nil
	}
	for _, one := range s.services() {
		if err := s.Emulator.Engine.Push(ctx, s.image(one.Name)); err != nil {
			return err
		}
	}
	return nil
}

// Release releases the jobs and tasks, fills the environment, and releases what runs on that: the services and the page. What
// serves already is left alone.
func (s *Shop) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, releaseTime, fmt.Errorf("not everything serves after %s", releaseTime))
	defer cancel()
	var first, last []string
	for _, one := range s.services() {
		if one.Kind.LongRunning() {
			last = append(last, one.Name)
		} else {
			first = append(first, one.Name)
		}
	}
	if err := s.release(ctx, first...); err != nil {
		return err
	}
	if err := s.fill(ctx); err != nil {
		return err
	}
	return s.release(ctx, append(last, release.Web)...)
}

// release releases services and the page, all at once: most of it is waiting.
func (s *Shop) release(ctx context.Context, names ...string) error {
	releaser := release.Releaser{
		Operator: operate.Operator{Config: stacks.All, Out: s.Log, AWS: s.Operator()},
		Folder:   filepath.Join(s.Root, "apps", "web", "dist"),
	}
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		version := s.version
		if s.Emulator.Engine == nil && name != release.Web {
			version = "latest" // a program has no other
		}
		all.Go(func() { _, errs[i] = releaser.Deploy(ctx, s.Environment.Name, name, version) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// fill gives the environment what no Terraform and no release makes: the schema, a secret that a person puts in, pictures.
func (s *Shop) fill(ctx context.Context) error {
	operator := operate.Operator{Config: stacks.All, Out: s.Log, AWS: s.Operator()}
	if err := operator.Run(ctx, s.Environment.Name, "migrate", nil); err != nil {
		return err
	}
	if err := s.keepSecrets(ctx); err != nil {
		return err
	}
	bucket, prefix, err := s.pictures(ctx)
	if err != nil {
		return err
	}
	return s.upload(ctx, filepath.Join(s.Root, "apps", "catalog", "pictures"), bucket, prefix)
}

// keepSecrets gives those that a person puts in a value that suits the sandbox.
func (s *Shop) keepSecrets(ctx context.Context) error {
	client := secretsmanager.NewFromConfig(s.aws)
	for _, secret := range stacks.All.Platform.Secrets {
		if secret.RotateDays > 0 {
			continue
		}
		name := s.Cluster() + "/" + secret.Name
		_, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err == nil {
			continue
		}
		if missing := new(secrettypes.ResourceNotFoundException); !errors.As(err, &missing) {
			return fmt.Errorf("secret %s: %w", name, err)
		}
		_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String("sandbox")})
		if err != nil {
			return fmt.Errorf("secret %s: %w", name, err)
		}
	}
	return nil
}

// Variables are the environment variables of a service's container: what its links gave it.
func (s *Shop) Variables(ctx context.Context, service string) (map[string]string, error) {
	family := s.Cluster() + "-" + service
	found, err := s.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &family})
	if err != nil {
		return nil, fmt.Errorf("task definition %s: %w", family, err)
	}
	variables := map[string]string{}
	for _, v := range found.TaskDefinition.ContainerDefinitions[0].Environment {
		variables[*v.Name] = *v.Value
	}
	return variables, nil
}

// pictures is where the catalog looks for them.
func (s *Shop) pictures(ctx context.Context) (bucket, prefix string, err error) {
	variables, err := s.Variables(ctx, "catalog")
	return variables["BUCKET_MEDIA_NAME"], variables["BUCKET_MEDIA_PREFIX"], err
}

// upload copies a folder into a bucket.
func (s *Shop) upload(ctx context.Context, folder, bucket, prefix string) error {
	client := s3.NewFromConfig(s.aws)
	return filepath.WalkDir(folder, func(file string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		_, err = client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String(prefix + filepath.ToSlash(name)), Body: bytes.NewReader(content),
			ContentType: aws.String(mime.TypeByExtension(filepath.Ext(file))),
		})
		if err != nil {
			return fmt.Errorf("upload %s to %s: %w", name, bucket, err)
		}
		return nil
	})
}

// Tasks are those of a service that are meant to run.
func (s *Shop) Tasks(ctx context.Context, name string) ([]ecstypes.Task, error) {
	listed, err := s.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String(s.Cluster()), ServiceName: &name})
	if err != nil || len(listed.TaskArns) == 0 {
		return nil, err
	}
	found, err := s.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(s.Cluster()), Tasks: listed.TaskArns})
	if err != nil {
		return nil, err
	}
	return found.Tasks, nil
}

// Order is what a browser did through the page.
type Order struct {
	ID      string  `json:"order"`
	Email   string  `json:"email"`
	Seconds float64 `json:"seconds"`
}

// Browse places an order through the page with a real browser and waits until it is confirmed, mailed and shipped. Pictures of
// the pages go to the folder, unless it is empty.
func (s *Shop) Browse(ctx context.Context, pictures string) (Order, error) {
	cmd := exec.CommandContext(ctx, "node", "e2e/shop.mjs")
	cmd.Dir = filepath.Join(s.Root, "apps", "web")
	cmd.Env = append(os.Environ(), "SHOP_URL="+s.Emulator.SiteURL(), "SHOTS="+pictures)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, s.Log), s.Log
	if err := cmd.Run(); err != nil {
		return Order{}, fmt.Errorf("the browser could not order: %w\n%s", err, out.String())
	}
	text := strings.TrimSpace(out.String())
	var order Order
	return order, json.Unmarshal([]byte(text[strings.LastIndexByte(text, '\n')+1:]), &order)
}
