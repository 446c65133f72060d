//go:build pipelines

package pipelines_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
	"aws-microservices/stacks"
	"aws-microservices/test/pipelines/github"
)

// The jobs of infrastructure.yml as they end for a pull request, and on main, when all is well.
var (
	reviewed = map[string]string{
		"check": "success", "plan / plan (shared)": "success", "plan / plan (dev)": "success", "plan / plan (staging)": "success", "plan / plan (prod)": "success",
		"review": "success", "infrastructure": "success",
	}
	applied = map[string]string{
		"plan / plan (shared)": "success", "approved": "success", "dev / apply": "success", "staging / apply": "success", "prod / apply": "success",
	}
)

// but is the same with other ends for some jobs; "" is a job that does not run.
func but(jobs map[string]string, name, end string, more ...string) map[string]string {
	changed := map[string]string{}
	for job, was := range jobs {
		changed[job] = was
	}
	for more = append([]string{name, end}, more...); len(more) > 0; more = more[2:] {
		changed[more[0]] = more[1]
		if more[1] == "" {
			delete(changed, more[0])
		}
	}
	return changed
}

// The life of changes of the platform, from the pull request to prod. Each goes on from where the one before left the environments.
func TestInfrastructure(t *testing.T) {
	w := open(t)
	r := w.Repository(t)
	const workflow = "infrastructure.yml"
	backlog := []string{"stacks/platform.go", "MessageSeconds: 0.5, MaxWaitSeconds: 600"}

	r.Edit(t, backlog[0], backlog[1], "MessageSeconds: 0.5,  MaxWaitSeconds: 900")
	r.Open(t, 31, "patience")
	t.Run("what is not formatted, and not what the code gives, is told at once", func(t *testing.T) {
		run := r.Run(t, Event{Name: "pull_request", Pull: 31}, workflow)
		run.Want(t, but(reviewed, "check", "failure", "infrastructure", "failure"))
		run.Says(t, "make fmt", "stacks/platform.go", "run make synth", "cdktf.out/stacks/dev/cdk.tf.json")
	})

	t.Run("a change that may lose data needs its label", func(t *testing.T) {
		r.Edit(t, backlog[0], "MessageSeconds: 0.5,  MaxWaitSeconds: 900", "MessageSeconds: 0.5, MaxWaitSeconds: 900")
		r.Edit(t, "stacks/dev.go", "LogRetentionDays: 30", "LogRetentionDays: 14")
		r.Edit(t, "stacks/dev.go", "MemoryMiB: 512", "MemoryMiB: 1024")
		r.Synth(t)
		r.Push(t, 31)
		run := r.Run(t, Event{Name: "pull_request", Pull: 31}, workflow)
		run.Want(t, but(reviewed, "review", "failure", "infrastructure", "failure"))
		run.Says(t, "dev: the plan may lose data", "approve-data-loss")
		r.Label(t, 31, "approve-data-loss")
		r.Run(t, Event{Name: "pull_request", Pull: 31}, workflow).Want(t, reviewed)
	})
	t.Run("it is shown", func(t *testing.T) {
		comments := r.pull(t, 31).Comments
		if len(comments) != 1 {
			t.Fatalf("%d comments, want the one that is edited", len(comments))
		}
		for _, want := range []string{
			r.pull(t, 31).Head[:7], "Data may be lost", "<code>shared</code>: no changes", "<code>dev</code>: ", "<code>prod</code>: ", "alarm-mail-age", "900",
		} {
			if !strings.Contains(comments[0], want) {
				t.Errorf("the comment has nothing of %q:\n%s", want, comments[0])
			}
		}
	})
	before := r.Merge(t, 31)
	t.Run("a release since the approval makes the plan stale", func(t *testing.T) {
		undo := w.release(t, "orders")
		defer undo()
		run := r.Run(t, Event{Name: "push", Before: before}, workflow)
		run.Want(t, but(applied, "dev / apply", "failure", "staging / apply", "", "prod / apply", ""))
		run.Says(t, "stale: ", "services/orders/task-definition", "run infrastructure.yml by hand")
		if strings.Contains(run.Output, "Apply complete!") {
			t.Error("it is applied all the same")
		}
	})
	t.Run("the label is asked for again before the apply", func(t *testing.T) {
		r.changePull(t, 31, func(p *github.Pull) { p.Labels = nil })
		run := r.Run(t, Event{Name: "push", Before: before}, workflow)
		run.Want(t, but(applied, "approved", "failure", "dev / apply", "", "staging / apply", "", "prod / apply", ""))
		run.Says(t, "a plan may lose data")
		r.Label(t, 31, "approve-data-loss")
	})
	t.Run("it reaches prod as it was shown", func(t *testing.T) {
		run := r.Run(t, Event{Name: "push", Before: before}, workflow)
		run.Want(t, applied)
		run.Says(t, "Apply complete!")
		again := r.Run(t, Event{Name: "push", Before: before}, workflow)
		again.Want(t, applied)
		again.Says(t, "there is nothing to apply")
	})

	t.Run("drift is one issue, until it is gone", func(t *testing.T) {
		drift := map[string]string{"plan / plan (shared)": "success", "plan / plan (dev)": "success", "plan / plan (staging)": "success", "plan / plan (prod)": "success", "issue": "success"}
		look := func(want bool) {
			t.Helper()
			r.Run(t, Event{Name: "schedule"}, "drift.yml").Want(t, drift)
			var open []bool
			for _, issue := range r.State(t).Issues {
				if slices.Contains(issue.Labels, "drift") {
					open = append(open, issue.Open)
				}
			}
			if !slices.Equal(open, []bool{want}) {
				t.Fatalf("issues about drift, open or not: %v, want one: %v", open, want)
			}
		}
		w.setQueue(t, "shop-dev-mail", "1")
		look(true)
		w.setQueue(t, "shop-dev-mail", "2")
		look(true)
		body := r.State(t).Issues[0].Body
		if !strings.Contains(body, "queues/mail") || strings.Contains(body, "<code>prod</code>") {
			t.Errorf("the issue is not about dev's queue alone:\n%s", body)
		}
		w.setQueue(t, "shop-dev-mail", "0")
		look(false)
	})

	r.Edit(t, "stacks/shared.go", "LogRetentionDays: 365", "LogRetentionDays: 400")
	r.Edit(t, "stacks/dev.go", "LogRetentionDays: 14", "LogRetentionDays: 30")
	r.Synth(t)
	r.Commit(t, "remember")
	t.Run("what nobody approved is not applied", func(t *testing.T) {
		run := r.Run(t, Event{Name: "push"}, workflow)
		run.Want(t, but(applied, "approved", "failure", "dev / apply", "", "staging / apply", "", "prod / apply", ""))
		run.Says(t, "no pull request was merged as")
	})
	t.Run("by hand, once a person has applied what the pipelines may do", func(t *testing.T) {
		planned := but(applied, "plan / plan (dev)", "success", "plan / plan (staging)", "success", "plan / plan (prod)", "success")
		run := r.Run(t, Event{Name: "workflow_dispatch"}, workflow)
		run.Want(t, but(planned, "approved", "failure", "dev / apply", "", "staging / apply", "", "prod / apply", ""))
		run.Says(t, "make deploy ENV=shared")
		r.Apply(t, live.Shared)
		r.Run(t, Event{Name: "workflow_dispatch"}, workflow).Want(t, but(planned, "staging / apply", "", "prod / apply", ""))
	})
}

// Push adds what differs in the working tree to the pull request, whose branch is checked out.
func (r *Repository) Push(t *testing.T, number int) {
	t.Helper()
	head := r.Commit(t, "more")
	r.changePull(t, number, func(p *github.Pull) { p.Head = head })
}

// Apply applies a stack as it is checked out, as a person does with make deploy.
func (r *Repository) Apply(t *testing.T, name string) {
	t.Helper()
	s, err := stack.Open(filepath.Join(r.Dir, "cdktf.out"), name, stack.Options{Env: r.world.Env, Log: r.world.log})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Init(t.Context()), s.Apply(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// setQueue changes a queue of dev's, as somebody in AWS's console does.
func (w *world) setQueue(t *testing.T, name, delay string) {
	t.Helper()
	cfg, err := w.ConfigOf(t.Context(), stacks.Dev)
	if err != nil {
		t.Fatal(err)
	}
	client := sqs.NewFromConfig(cfg)
	url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: url.QueueUrl, Attributes: map[string]string{string(sqstypes.QueueAttributeNameDelaySeconds): delay},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// release leaves in dev what a release of the service does, as far as Terraform sees it: another image in the newest revision and
// in the parameter.
func (w *world) release(t *testing.T, service string) (undo func()) {
	t.Helper()
	cfg, err := w.ConfigOf(t.Context(), stacks.Dev)
	if err != nil {
		t.Fatal(err)
	}
	tasks, parameters := ecs.NewFromConfig(cfg), ssm.NewFromConfig(cfg)
	family, name := "shop-dev-"+service, "/shop/dev/"+service+"/image"
	was, err := parameters.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	put := func(image string) {
		_, err := parameters.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &image, Overwrite: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	image := "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/" + service + ":v2.0.0"
	put(image)
	newest, err := tasks.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &family})
	if err != nil {
		t.Fatal(err)
	}
	d := newest.TaskDefinition
	for i := range d.ContainerDefinitions {
		if aws.ToString(d.ContainerDefinitions[i].Name) == service {
			d.ContainerDefinitions[i].Image = &image
		}
	}
	registered, err := tasks.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode,
		TaskRoleArn: d.TaskRoleArn, ExecutionRoleArn: d.ExecutionRoleArn, RequiresCompatibilities: d.RequiresCompatibilities,
		RuntimePlatform: d.RuntimePlatform, Volumes: d.Volumes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		put(*was.Parameter.Value)
		_, err := tasks.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: registered.TaskDefinition.TaskDefinitionArn})
		if err != nil {
			t.Fatal(err)
		}
	}
}
