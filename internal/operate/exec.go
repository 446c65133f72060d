package operate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// shell is what Exec runs by default.
const shell = "/bin/sh"

// Exec runs a command in a task of a service that runs, at the terminal of this process. It is the AWS CLI that speaks to the
// agent in the task, by its plugin.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
func (o Operator) Exec(ctx context.Context, environment, service string, command []string) error {
	for program, from := range map[string]string{
		"aws":                    "the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
		"session-manager-plugin": "its plugin: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return refused("%s is not on PATH; ECS Exec needs it: install %s", program, from)
		}
	}
	t, s, err := o.service(ctx, environment, service)
	if err != nil {
		return err
	}
	task, err := t.runningTask(ctx, s.Name)
	if err != nil {
		return err
	}
	credentials, err := t.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return refused("credentials for %s: %w", environment, err)
	}
	if len(command) == 0 {
		command = []string{shell}
	}
	t.Say("%s: %s in task %s", service, strings.Join(command, " "), task)
	// An interrupt is for the command in the task: the terminal sends it to the CLI too.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "aws", "ecs", "execute-command", "--region", t.Region, "--cluster", t.Prefix, "--task", task,
		"--container", service, "--interactive", "--command", quoted(command))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN="+credentials.SessionToken)
	err = cmd.Run()
	if ended := new(exec.ExitError); errors.As(err, &ended) && ended.ExitCode() > 0 {
		return ExitError{ended.ExitCode(), fmt.Sprintf("aws ecs execute-command: %v", err)}
	}
	return err
}

// runningTask is one of the tasks of a service, or of a one-off task, that run.
func (t *Target) runningTask(ctx context.Context, service string) (string, error) {
	client := ecs.NewFromConfig(t.AWS)
	listed, err := client.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: &t.Prefix, Family: aws.String(t.Prefix + "-" + service), DesiredStatus: types.DesiredStatusRunning,
	})
	if err != nil {
		return "", fmt.Errorf("tasks of %s: %w", service, err)
	}
	if len(listed.TaskArns) == 0 {
		return "", refused("no task of %s runs", service)
	}
	arn := listed.TaskArns[0]
	return arn[strings.LastIndexByte(arn, '/')+1:], nil
}

// quoted is a command as one argument: the agent splits it as a shell does.
func quoted(command []string) string {
	var words []string
	for _, word := range command {
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\$`;&|<>()*?[]#~") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
