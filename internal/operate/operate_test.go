package operate

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

// What is refused is refused before AWS is asked anything: no test here could reach it.
func TestUnknownNamesAreRefusedWithThoseThatExist(t *testing.T) {
	o := Operator{Out: &bytes.Buffer{}, Config: stacks.Config{
		Platform: stacks.Platform{
			Name:   "shop",
			Queues: []stacks.Queue{{Name: "order-placed"}, {Name: "order-paid"}},
			Services: []stacks.Service{
				{Name: "orders", Kind: service.Web}, {Name: "migrate", Kind: service.Task}, {Name: "seed", Kind: service.Task},
			},
		},
		Environments: []stacks.Environment{{Name: "dev"}, {Name: "prod"}},
	}}
	bare := o
	bare.Config.Platform = stacks.Platform{Name: "shop"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"environment":        {o.Wake(t.Context(), "qa"), `there is no environment "qa": name one of dev, prod`},
		"environment, sleep": {o.Sleep(t.Context(), "qa"), `there is no environment "qa": name one of dev, prod`},
		"service, no task":   {o.Run(t.Context(), "dev", "orders", nil), `there is no task "orders": name one of migrate, seed`},
		"no tasks at all":    {bare.Run(t.Context(), "dev", "migrate", nil), `there is no task "migrate": the platform has none`},
		"queue":              {o.Redrive(t.Context(), "dev", "order", 0), `there is no queue "order": name one of order-placed, order-paid`},
		"rate":               {o.Redrive(t.Context(), "dev", "order-paid", 501), "a rate of 501: SQS moves 1 to 500 messages a second"},
		"rate below zero":    {o.Redrive(t.Context(), "dev", "order-paid", -1), "a rate of -1"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, test.err, test.want)
		}
	}
}

func TestARoleIsNamedWithoutItsAccount(t *testing.T) {
	for value, want := range map[string]string{"": stacks.MemberRole, "shop-deploy": "shop-deploy"} {
		t.Setenv(RoleVariable, value)
		if got, err := memberRole(); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", value, got, err, want)
		}
	}
	t.Setenv(RoleVariable, "arn:aws:iam::111122223333:role/shop-deploy")
	o := Operator{Out: &bytes.Buffer{}, Config: stacks.Config{Environments: []stacks.Environment{{Name: "dev", AccountID: "444455556666", Region: "eu-west-1"}}}}
	err := o.Wake(t.Context(), "dev")
	want := `TF_VAR_role is "arn:aws:iam::111122223333:role/shop-deploy": write the name of a role, without its account`
	if !errors.As(err, new(RefusedError)) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOperatorsAreNamedByTheirLogin(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sts::111122223333:assumed-role/Admin/jane.doe@example.com": "operate-jane-doe-example-com",
		"arn:aws:iam::111122223333:user/team/jane":                          "operate-jane",
		"arn:aws:iam::111122223333:root":                                    "operate-root",
		"arn:aws:iam::111122223333:user/" + strings.Repeat("j", 64):         "operate-" + strings.Repeat("j", 56),
	} {
		if got := operator(arn); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}

func TestTheParameterIsTheRequest(t *testing.T) {
	got, err := parse(`{"cluster": "shop-dev", "taskDefinition": "shop-dev-migrate",
		"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "base": 1, "weight": 2}],
		"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
		"propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true}`)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Cluster, Family string
		Strategy        []string
		Network         types.AwsVpcConfiguration
		Tags            types.PropagateTags
		Managed         bool
	}
	var strategy []string
	for _, item := range got.CapacityProviderStrategy {
		strategy = append(strategy, aws.ToString(item.CapacityProvider))
		if item.Base != 1 || item.Weight != 2 {
			t.Errorf("base %d and weight %d, want 1 and 2", item.Base, item.Weight)
		}
	}
	want := request{"shop-dev", "shop-dev-migrate", []string{"FARGATE"}, types.AwsVpcConfiguration{
		Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, AssignPublicIp: types.AssignPublicIpDisabled,
	}, types.PropagateTagsTaskDefinition, true}
	if diff := cmp.Diff(want, request{
		*got.Cluster, *got.TaskDefinition, strategy, *got.NetworkConfiguration.AwsvpcConfiguration, got.PropagateTags, got.EnableECSManagedTags,
	}, cmp.AllowUnexported(types.AwsVpcConfiguration{})); diff != "" {
		t.Error(diff)
	}
}

func TestAParameterThatIsNoRequestIsRefused(t *testing.T) {
	for document, want := range map[string]string{
		"":                                    "it is no RunTask request",
		`{"cluster": "shop-dev"}`:             "cluster and taskDefinition are missing",
		`{"cluster": "c", "taskDefinitions"}`: "it is no RunTask request",
		`{"cluster": "c", "taskDefinition": "t", "subnets": []}`: `unknown field "subnets"`,
	} {
		if _, err := parse(document); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", document, err, want)
		}
	}
}

func TestOnlyAContainerThatEndsByItselfWithZeroEndsWell(t *testing.T) {
	exited := types.TaskStopCodeEssentialContainerExited
	task := func(stop types.TaskStopCode, reason string, containers ...types.Container) types.Task {
		return types.Task{StopCode: stop, StoppedReason: &reason, Containers: containers}
	}
	container := func(name string, code int32, reason string) types.Container {
		return types.Container{Name: &name, ExitCode: &code, Reason: &reason}
	}
	for name, test := range map[string]struct {
		task types.Task
		code int
		want string
	}{
		"by itself":     {task(exited, "Essential container in task exited", container("migrate", 0, "")), 0, ""},
		"badly":         {task(exited, "Essential container in task exited", container("migrate", 3, "")), 3, "migrate exited with 3: Essential container"},
		"out of memory": {task(exited, "Essential container in task exited", container("migrate", 137, "OutOfMemoryError: killed")), 137, "container migrate: OutOfMemoryError"},
		"stopped by somebody": {task(types.TaskStopCodeUserInitiated, "Task stopped by user", container("migrate", 0, "")), 0,
			"migrate was stopped before it ended by itself (UserInitiated): Task stopped by user"},
		"spot": {task(types.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", container("migrate", 143, "")), 143, "Your Spot Task was interrupted."},
		"a helper's code is not the task's": {task(exited, "Essential container in task exited", container("roles", 0, ""), container("migrate", 1, "")), 1,
			"migrate exited with 1"},
		"no image": {task(types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError: not found", types.Container{Name: aws.String("migrate")}), 0,
			"migrate never ran: CannotPullContainerError: not found"},
		"no container": {task(types.TaskStopCodeTaskFailedToStart, "ResourceInitializationError: no route"), 0, "migrate never ran: ResourceInitializationError"},
	} {
		err := outcome(test.task, "migrate")
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var exit ExitError
		if errors.As(err, &exit); err == nil || exit.Code != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v with exit code %d, want %q with %d", name, err, exit.Code, test.want, test.code)
		}
	}
}

func TestDeadLettersAreFoundByName(t *testing.T) {
	for _, test := range []struct {
		queue       stacks.Queue
		name, death string
	}{
		{stacks.Queue{Name: "order-placed"}, "shop-dev-order-placed", "shop-dev-order-placed-dead"},
		{stacks.Queue{Name: "order-paid", FIFO: true}, "shop-dev-order-paid.fifo", "shop-dev-order-paid-dead.fifo"},
	} {
		if name, dead := queueNames("shop-dev", test.queue); name != test.name || dead != test.death {
			t.Errorf("%s: %s and %s, want %s and %s", test.queue.Name, name, dead, test.name, test.death)
		}
	}
}
