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
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
}

// steadyTime is how long services may take until they work: a task that was started too early has to fail first.
const steadyTime = 5 * time.Minute

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

// Operator are the SDK's settings of somebody who is logged in to the account that the environments share.
func (s *Shop) Operator() []func(*config.LoadOptions) error {
	return emulated(s.Emulator, stacks.All.Shared.AccountID)
}

// Cluster is where the shop's services run.
func (s *Shop) Cluster() string { return stacks.All.Platform.Name + "-" + s.Environment.Name }

func (s *Shop) services() []stacks.Service { return stacks.All.Platform.Services }

// version names what the images and the page are built from.
func (s *Shop) version(ctx context.Context) (version, commit string) {
	git := exec.CommandContext(ctx, "git", "-C", s.Root, "rev-parse", "HEAD")
	out, err := git.Output()
	if err != nil {
		return "dev", "unknown" // not a checkout: an archive of one
	}
	commit = strings.TrimSpace(string(out))
	return "commit-" + commit[:12], commit
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
	version, commit := s.version(ctx)
	for _, one := range s.services() {
		err := s.Emulator.Engine.Build(ctx, s.Log, filepath.Join(s.Root, "apps"), filepath.Join(s.Root, "apps", one.Name, "Dockerfile"),
			s.image(one.Name), "VERSION="+version, "COMMIT="+commit)
		if err != nil {
			return err
		}
	}
	return nil
}

// buildPrograms builds what the images would have in them.
func (s *Shop) buildPrograms(ctx context.Context) error {
	version, commit := s.version(ctx)
	flags := fmt.Sprintf("-s -w -X shop/internal/build.Version=%s -X shop/internal/build.Commit=%s", version, commit)
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
	version, commit := s.version(ctx)
	cmd := exec.CommandContext(ctx, "make", "page")
	cmd.Dir = s.Root
	cmd.Env = append(os.Environ(), "VITE_VERSION="+version, "VITE_COMMIT="+commit)
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	return nil
}

// image is the name under which the engine knows a service's image, at the address of the emulator's registry.
func (s *Shop) image(service string) string {
	return fmt.Sprintf("%s/%s/%s:latest", strings.TrimPrefix(s.Emulator.URL(), "http://"), stacks.All.Platform.Name, service)
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

// Fill gives the environment what no Terraform makes: the schema, a secret that a person puts in, pictures and the page.
func (s *Shop) Fill(ctx context.Context) error {
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
	if err := s.upload(ctx, filepath.Join(s.Root, "apps", "catalog", "pictures"), bucket, prefix); err != nil {
		return err
	}
	// index.html comes last: what it names is there before it is.
	return s.upload(ctx, filepath.Join(s.Root, "apps", "web", "dist"), s.siteBucket(), "")
}

func (s *Shop) siteBucket() string { return s.Cluster() + "-web-" + s.Environment.AccountID }

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

// upload copies a folder into a bucket, index.html last.
func (s *Shop) upload(ctx context.Context, folder, bucket, prefix string) error {
	client := s3.NewFromConfig(s.aws)
	var files []string
	err := filepath.WalkDir(folder, func(file string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return err
	}
	isIndex := func(file string) bool { return filepath.Base(file) == "index.html" }
	files = append(slices.DeleteFunc(slices.Clone(files), isIndex), slices.DeleteFunc(files, func(f string) bool { return !isIndex(f) })...)
	for _, file := range files {
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
	}
	return nil
}

// Settle starts the services that run another image than was pushed, or gave up before there was a schema, and waits until
// all are well.
func (s *Shop) Settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, steadyTime, fmt.Errorf("not all services work after %s", steadyTime))
	defer cancel()
	services, err := s.states(ctx)
	if err != nil {
		return err
	}
	for _, state := range services {
		current, err := s.current(ctx, state)
		if err != nil {
			return err
		}
		if current && state.Deployments[0].RolloutState != ecstypes.DeploymentRolloutStateFailed {
			continue
		}
		_, err = s.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: state.ClusterArn, Service: state.ServiceName, ForceNewDeployment: true,
		})
		if err != nil {
			return fmt.Errorf("service %s: %w", *state.ServiceName, err)
		}
	}
	for {
		services, err := s.states(ctx)
		if err != nil {
			return err
		}
		var wanting []string
		for _, state := range services {
			if problem := unsteady(state); problem != "" {
				wanting = append(wanting, problem)
			}
		}
		if len(wanting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), strings.Join(wanting, "; "))
		case <-time.After(time.Second):
		}
	}
}

func unsteady(state ecstypes.Service) string {
	for _, d := range state.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			if d.RolloutState == ecstypes.DeploymentRolloutStateCompleted && state.RunningCount == state.DesiredCount {
				return ""
			}
			return fmt.Sprintf("%s: %d of %d tasks run, deployment %s", *state.ServiceName, state.RunningCount, state.DesiredCount, d.RolloutState)
		}
	}
	return *state.ServiceName + ": no deployment"
}

// states are those of the long-running services.
func (s *Shop) states(ctx context.Context) ([]ecstypes.Service, error) {
	var names []string
	for _, one := range s.services() {
		if one.Kind.LongRunning() {
			names = append(names, one.Name)
		}
	}
	found, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(s.Cluster()), Services: names})
	if err != nil {
		return nil, err
	}
	for _, failure := range found.Failures {
		return nil, fmt.Errorf("service %s: %s", aws.ToString(failure.Arn), aws.ToString(failure.Reason))
	}
	return found.Services, nil
}

// current tells whether every task of a service runs the image that was pushed.
func (s *Shop) current(ctx context.Context, state ecstypes.Service) (bool, error) {
	want, err := s.digest(ctx, *state.ServiceName)
	if err != nil {
		return false, err
	}
	tasks, err := s.Tasks(ctx, *state.ServiceName)
	for _, task := range tasks {
		for _, c := range task.Containers {
			if c.ImageDigest != nil && *c.ImageDigest != want {
				return false, err
			}
		}
	}
	return true, err
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

// digest is that of the image in the registry, or of the program.
func (s *Shop) digest(ctx context.Context, name string) (string, error) {
	if s.Emulator.Engine == nil {
		program, err := os.ReadFile(filepath.Join(s.Emulator.Binaries, name))
		return fmt.Sprintf("sha256:%x", sha256.Sum256(program)), err
	}
	url := fmt.Sprintf("%s/v2/%s/%s/manifests/latest", s.Emulator.URL(), stacks.All.Platform.Name, name)
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("image of %s in the registry: %s", name, response.Status)
	}
	return response.Header.Get("Docker-Content-Digest"), nil
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
