package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"aws-microservices/constructs/service"
	"aws-microservices/internal/operate"
	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

const (
	sharedAccount = "111122223333"
	devAccount    = "444455556666"
	region        = "eu-west-1"
)

// operateWorld is the emulator of all tests of the operators' commands: each operates a platform of its own on it.
var operateWorld = sync.OnceValues(func() (*world, error) { return newWorld(filepath.Join(scratch, "operate")) })

// platform is a platform of one environment, dev, that operators operate.
type platform struct {
	name string
	// url is where AWS is: the emulator.
	url string
	// aws is the environment's account, to make things in it and to look at them.
	aws aws.Config
	out *lines
	// ctx ends commands that wait in vain.
	ctx context.Context
}

func newPlatform(t *testing.T, name string) *platform {
	t.Helper()
	begin(t)
	w, err := operateWorld()
	must(t, err)
	p := &platform{name: name, url: w.emulator.URL(), out: newLines()}
	p.aws, err = sdk.Load(t.Context(), region, loggedIn(p.url, devAccount)...)
	must(t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errors.New("the test's time is over"))
	t.Cleanup(cancel)
	p.ctx = ctx
	return p
}

// loggedIn are the SDK's settings of somebody logged in to an account, whatever the machine's own are.
func loggedIn(url, account string) []func(*config.LoadOptions) error {
	return []func(*config.LoadOptions) error{
		config.WithBaseEndpoint(url),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(account, "unused", "")),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
	}
}

// operator is somebody logged in to the shared account.
func (p *platform) operator() operate.Operator {
	return operate.Operator{
		Config: stacks.Config{
			Platform: stacks.Platform{
				Name: p.name,
				Queues: []stacks.Queue{
					{Name: "order-placed"},
					{Name: "order-paid", FIFO: true},
				},
				Services: []stacks.Service{
					{Name: "orders", Kind: service.Web},
					{Name: "migrate", Kind: service.Task},
				},
			},
			Shared:       stacks.Shared{AccountID: sharedAccount, Region: region},
			Environments: []stacks.Environment{{Name: "dev", AccountID: devAccount, Region: region}},
		},
		Out: p.out,
		AWS: loggedIn(p.url, sharedAccount),
	}
}

// printed fails unless the command printed the texts, in that order.
func (p *platform) printed(t *testing.T, texts ...string) {
	t.Helper()
	rest := p.out.String()
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("no %q, in its place, in the output:\n%s", text, p.out)
		}
		rest = after
	}
}

func mustSay(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q, want %q in it", err, text)
		}
	}
}

// answer puts a stand-in before the emulator, for what the emulator cannot express: operation is answered with what change
// makes of the emulator's answer.
func (p *platform) answer(t *testing.T, operation string, change func(request, response []byte) []byte) {
	t.Helper()
	emulator, err := url.Parse(p.url)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(emulator)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(request))
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) && !bytes.Contains(request, []byte("Action="+operation+"&")) {
			proxy.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		proxy.ServeHTTP(recorder, r)
		response := change(request, recorder.Body.Bytes())
		w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
		w.WriteHeader(recorder.Code)
		if _, err := w.Write(response); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(front.Close)
	p.url = front.URL
}

// --- run

// task makes what Terraform makes for the task migrate.
func (p *platform) task(t *testing.T) *ecs.Client {
	t.Helper()
	client := ecs.NewFromConfig(p.aws)
	cluster := p.name + "-dev"
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &cluster})
	must(t, err)
	_, err = client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(cluster + "-migrate"), NetworkMode: ecstypes.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("migrate"), Image: aws.String("example/migrate")}},
	})
	must(t, err)
	_, err = ssm.NewFromConfig(p.aws).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/" + p.name + "/dev/migrate/run"), Type: ssmtypes.ParameterTypeString,
		Value: aws.String(fmt.Sprintf(`{"cluster": %q, "taskDefinition": "%[2]s-migrate",
			"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "base": 0, "weight": 1}],
			"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
			"propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true}`, cluster, cluster)),
	})
	must(t, err)
	return client
}

// started waits until the command has started a task, and returns its ARN.
func (p *platform) started(t *testing.T, done <-chan struct{}) string {
	t.Helper()
	if !p.out.await("started arn:", done) {
		t.Fatalf("no task was started:\n%s", p.out)
	}
	_, after, _ := strings.Cut(p.out.String(), "started ")
	arn, _, _ := strings.Cut(after, "\n")
	return arn
}

// begun runs a command beside the test.
func begun(command func() error) (done <-chan struct{}, result *error) {
	ended := make(chan struct{})
	result = new(error)
	go func() {
		defer close(ended)
		*result = command()
	}()
	return ended, result
}

func described(t *testing.T, client *ecs.Client, cluster, arn string) ecstypes.Task {
	t.Helper()
	seen, err := client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}})
	must(t, err)
	return seen.Tasks[0]
}

// The emulator's tasks never end by themselves, so somebody stops this one.
func TestRunFollowsTheLogAndWaitsForTheEnd(t *testing.T) {
	p := newPlatform(t, "run")
	client := p.task(t)
	done, result := begun(func() error {
		return p.operator().Run(p.ctx, "dev", "migrate", []string{"/app", "--to", "7"})
	})
	arn := p.started(t, done)

	task := described(t, client, "run-dev", arn)
	if by := aws.ToString(task.StartedBy); !strings.HasPrefix(by, "operate-") {
		t.Errorf("started by %q, want operate and who", by)
	}
	if family := aws.ToString(task.TaskDefinitionArn); !strings.Contains(family, "/run-dev-migrate:") {
		t.Errorf("task definition %s, want the one in the parameter", family)
	}
	if o := task.Overrides.ContainerOverrides; len(o) != 1 || aws.ToString(o[0].Name) != "migrate" ||
		!slices.Equal(o[0].Command, []string{"/app", "--to", "7"}) {
		t.Errorf("overrides %+v, want the command", o)
	}

	logs := cloudwatchlogs.NewFromConfig(p.aws)
	group, stream := aws.String("/ecs/migrate"), aws.String("ecs/migrate/"+arn[strings.LastIndex(arn, "/")+1:])
	_, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(t, err)
	_, err = logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	must(t, err)
	for _, line := range []string{"step 1", "step 2"} {
		_, err = logs.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: group, LogStreamName: stream,
			LogEvents: []logtypes.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}},
		})
		must(t, err)
		if !p.out.await("| "+line+"\n", done) {
			t.Fatalf("%q is not in the output:\n%s", line, p.out)
		}
	}

	_, err = client.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("run-dev"), Task: &arn, Reason: aws.String("enough")})
	must(t, err)
	<-done
	mustSay(t, *result, "migrate was stopped before it ended by itself (UserInitiated): enough", "group /ecs/migrate, stream ecs/migrate/")
	for _, line := range []string{"step 1", "step 2"} {
		if n := strings.Count(p.out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times:\n%s", line, n, p.out)
		}
	}
}

// How tasks end, in the words of AWS. The emulator's never do, so a stand-in says it of a task that the emulator started.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func TestRunExitsWithTheCodeOfTheContainer(t *testing.T) {
	exited := func(code int) map[string]any {
		return map[string]any{
			"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
			"containers": []any{map[string]any{"name": "migrate", "exitCode": code}},
		}
	}
	for name, test := range map[string]struct {
		end  map[string]any
		code int // the container's, 0 where it has none
		says string
	}{
		"well":  {exited(0), 0, ""},
		"badly": {exited(3), 3, "migrate exited with 3: Essential container in task exited"},
		"no-image": {map[string]any{
			"stopCode":      "TaskFailedToStart",
			"stoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
			"containers":    []any{map[string]any{"name": "migrate"}},
		}, 0, "migrate never ran: CannotPullContainerError: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, "exit-"+name)
			p.task(t)
			looks := 0
			p.answer(t, "DescribeTasks", func(request, response []byte) []byte {
				var asked struct {
					Cluster string
					Tasks   []string
				}
				strict(t, request, &asked)
				if asked.Cluster != p.name+"-dev" || len(asked.Tasks) != 1 {
					t.Errorf("asked for %+v, want the task that was started", asked)
				}
				if looks++; looks < 2 {
					return response
				}
				end := map[string]any{"taskArn": asked.Tasks[0], "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
				for key, value := range test.end {
					end[key] = value
				}
				return asJSON(t, map[string]any{"tasks": []any{end}, "failures": []any{}})
			})
			err := p.operator().Run(p.ctx, "dev", "migrate", nil)
			if test.says == "" {
				must(t, err)
				p.printed(t, "started arn:aws:ecs:", "migrate: exited with 0\n")
				return
			}
			mustSay(t, err, test.says)
			var exit operate.ExitError
			if errors.As(err, &exit); exit.Code != test.code {
				t.Errorf("exit code %d, want %d", exit.Code, test.code)
			}
		})
	}
}

func TestRunSaysWhyNothingWasStarted(t *testing.T) {
	p := newPlatform(t, "failures")
	mustSay(t, p.operator().Run(p.ctx, "dev", "migrate", nil),
		"there is no parameter /failures/dev/migrate/run", "make deploy ENV=dev")
	p.task(t)
	p.answer(t, "RunTask", func(_, _ []byte) []byte {
		return []byte(`{"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time. Please try again later"}]}`)
	})
	mustSay(t, p.operator().Run(p.ctx, "dev", "migrate", nil), "ECS started nothing: Capacity is unavailable")
}

func TestRunInterruptedLeavesTheTaskAndSaysHowToStopIt(t *testing.T) {
	p := newPlatform(t, "interrupt")
	client := p.task(t)
	ctx, interrupt := context.WithCancelCause(p.ctx)
	done, result := begun(func() error { return p.operator().Run(ctx, "dev", "migrate", nil) })
	arn := p.started(t, done)
	interrupt(errors.New("interrupted"))
	<-done
	mustSay(t, *result, "interrupted\nmigrate may still be running",
		"aws ecs stop-task --region eu-west-1 --cluster interrupt-dev --task "+arn)
	if status := aws.ToString(described(t, client, "interrupt-dev", arn).LastStatus); status != "RUNNING" {
		t.Errorf("the task is %s, want it to be left alone", status)
	}
}

// --- redrive

// queues makes a queue with dead letters.
func (p *platform) queues(t *testing.T, name, end string, deadLetters int) (client *sqs.Client, queue, dead string) {
	t.Helper()
	client = sqs.NewFromConfig(p.aws)
	create := func(name string, attributes map[string]string) string {
		if end != "" {
			attributes["FifoQueue"], attributes["ContentBasedDeduplication"] = "true", "true"
		}
		made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(p.name + "-dev-" + name + end), Attributes: attributes})
		must(t, err)
		return *made.QueueUrl
	}
	dead = create(name+"-dead", map[string]string{})
	queue = create(name, map[string]string{"RedrivePolicy": fmt.Sprintf(
		`{"deadLetterTargetArn": "arn:aws:sqs:%s:%s:%s-dev-%s-dead%s", "maxReceiveCount": 1}`, region, devAccount, p.name, name, end)})
	for i := range deadLetters {
		message := &sqs.SendMessageInput{QueueUrl: &dead, MessageBody: aws.String(fmt.Sprint("message ", i))}
		if end != "" {
			message.MessageGroupId = aws.String("group")
		}
		_, err := client.SendMessage(t.Context(), message)
		must(t, err)
	}
	return client, queue, dead
}

func holds(t *testing.T, client *sqs.Client, queue string, want int) {
	t.Helper()
	name := sqstypes.QueueAttributeNameApproximateNumberOfMessages
	found, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{name},
	})
	must(t, err)
	if got := found.Attributes[string(name)]; got != strconv.Itoa(want) {
		t.Errorf("%s holds %s messages, want %d", queue, got, want)
	}
}

func TestRedriveMovesTheDeadLettersBack(t *testing.T) {
	for name, queue := range map[string]struct{ name, end string }{
		"standard": {"order-placed", ""},
		"fifo":     {"order-paid", ".fifo"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, "redrive-"+name)
			client, url, dead := p.queues(t, queue.name, queue.end, 3)
			must(t, p.operator().Redrive(p.ctx, "dev", queue.name, 0))
			p.printed(t, "environment dev: account 444455556666, eu-west-1\n",
				fmt.Sprintf("%s-dev-%s-dead%s: 3 dead letters, 0 of them in flight\n", p.name, queue.name, queue.end),
				fmt.Sprintf("moving them to %s-dev-%s%s\n", p.name, queue.name, queue.end),
				"done: moved about 3 of 3, none failed\n")
			holds(t, client, url, 3)
			holds(t, client, dead, 0)

			must(t, p.operator().Redrive(p.ctx, "dev", queue.name, 0))
			p.printed(t, "done: ", "-dead"+queue.end+": 0 dead letters", "nothing to move\n")
		})
	}
}

func TestRedriveLeavesMessagesInFlight(t *testing.T) {
	p := newPlatform(t, "flight")
	client, _, dead := p.queues(t, "order-placed", "", 1)
	_, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &dead, VisibilityTimeout: 60})
	must(t, err)
	mustSay(t, p.operator().Redrive(p.ctx, "dev", "order-placed", 0), "somebody has received every dead letter")
	p.printed(t, "1 dead letters, 1 of them in flight")
}

// Two operators, one alarm: the second waits for the move of the first.
func TestRedriveJoinsTheMoveThatRuns(t *testing.T) {
	p := newPlatform(t, "join")
	client, queue, _ := p.queues(t, "order-placed", "", 3)
	first, result := begun(func() error { return p.operator().Redrive(p.ctx, "dev", "order-placed", 1) })
	if !p.out.await("moved about 1 of 3\n", first) {
		t.Fatalf("no progress:\n%s", p.out)
	}
	second := *p
	second.out = newLines()
	must(t, second.operator().Redrive(p.ctx, "dev", "order-placed", 0))
	second.printed(t, "they are being moved already", "done: moved about 3 of 3")
	<-first
	must(t, *result)
	holds(t, client, queue, 3)
	moves, err := client.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{
		SourceArn: aws.String(fmt.Sprintf("arn:aws:sqs:%s:%s:join-dev-order-placed-dead", region, devAccount)), MaxResults: aws.Int32(10),
	})
	must(t, err)
	if len(moves.Results) != 1 || aws.ToInt32(moves.Results[0].MaxNumberOfMessagesPerSecond) != 1 {
		t.Errorf("moves %+v, want the first operator's, at the rate asked for", moves.Results)
	}
}

// SQS lists a new move a moment after it was started: until then the last one, which has ended, must not pass for it.
func TestRedriveWaitsForItsOwnMove(t *testing.T) {
	p := newPlatform(t, "own")
	client, _, dead := p.queues(t, "order-placed", "", 3)
	must(t, p.operator().Redrive(p.ctx, "dev", "order-placed", 0))
	_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &dead, MessageBody: aws.String("again")})
	must(t, err)
	var asked int
	var stale []byte
	p.answer(t, "ListMessageMoveTasks", func(_, response []byte) []byte {
		if asked++; asked == 1 {
			stale = response
		}
		if asked <= 3 {
			return stale
		}
		return response
	})
	must(t, p.operator().Redrive(p.ctx, "dev", "order-placed", 0))
	p.printed(t, "done: moved about 3 of 3", "done: moved about 1 of 1")
}

func TestRedriveFailsWithTheMove(t *testing.T) {
	for name, test := range map[string]struct {
		disturb func(ctx context.Context, client *sqs.Client, queue string, move sqstypes.ListMessageMoveTasksResultEntry) error
		says    string
	}{
		"cancelled": {func(ctx context.Context, client *sqs.Client, _ string, move sqstypes.ListMessageMoveTasksResultEntry) error {
			_, err := client.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: move.TaskHandle})
			return err
		}, "somebody cancelled the move from redrive-cancelled-dev-order-placed-dead: moved about 1 of 9"},
		"failed": {func(ctx context.Context, client *sqs.Client, queue string, _ sqstypes.ListMessageMoveTasksResultEntry) error {
			_, err := client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &queue})
			return err
		}, "the move from redrive-failed-dev-order-placed-dead failed (AWS.SimpleQueueService.NonExistentQueue): moved about 1 of 9, about 8 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, "redrive-"+name)
			client, queue, _ := p.queues(t, "order-placed", "", 9)
			done, result := begun(func() error { return p.operator().Redrive(p.ctx, "dev", "order-placed", 1) })
			if !p.out.await("moved about 1 of 9\n", done) {
				t.Fatalf("no progress:\n%s", p.out)
			}
			moves, err := client.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{
				SourceArn: aws.String(fmt.Sprintf("arn:aws:sqs:%s:%s:%s-dev-order-placed-dead", region, devAccount, p.name)),
			})
			must(t, err)
			must(t, test.disturb(t.Context(), client, queue, moves.Results[0]))
			<-done
			mustSay(t, *result, test.says)
		})
	}
}

func TestRedriveSaysThatAnEnvironmentIsNotDeployed(t *testing.T) {
	p := newPlatform(t, "absent")
	mustSay(t, p.operator().Redrive(p.ctx, "dev", "order-placed", 0),
		"there is no queue absent-dev-order-placed-dead in account 444455556666: make deploy ENV=dev")
}

// --- wake and sleep

// sleeper makes services and databases with sleeping hours, awake.
func (p *platform) sleeper(t *testing.T, services ...string) (*ecs.Client, *rds.Client) {
	t.Helper()
	client, bounds, databases := ecs.NewFromConfig(p.aws), scaling.NewFromConfig(p.aws), rds.NewFromConfig(p.aws)
	cluster := p.name + "-dev"
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &cluster})
	must(t, err)
	_, err = client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family:               &cluster,
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("example/app"), Memory: aws.Int32(128)}},
	})
	must(t, err)
	for _, name := range services {
		_, err := client.CreateService(t.Context(), &ecs.CreateServiceInput{
			Cluster: &cluster, ServiceName: &name, TaskDefinition: &cluster, DesiredCount: aws.Int32(2),
		})
		must(t, err)
		resource := aws.String("service/" + cluster + "/" + name)
		_, err = bounds.RegisterScalableTarget(t.Context(), &scaling.RegisterScalableTargetInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			ResourceId: resource, MinCapacity: aws.Int32(2), MaxCapacity: aws.Int32(5),
		})
		must(t, err)
		for action, row := range map[string]struct {
			schedule    string
			least, most int32
		}{"sleep": {"cron(0 19 ? * MON-FRI *)", 0, 0}, "wake": {"cron(0 7 ? * MON-FRI *)", 2, 5}, "sale": {"cron(0 9 1 12 ? *)", 4, 9}} {
			_, err := bounds.PutScheduledAction(t.Context(), &scaling.PutScheduledActionInput{
				ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
				ResourceId: resource, ScheduledActionName: &action, Schedule: &row.schedule, Timezone: aws.String("Europe/Dublin"),
				ScalableTargetAction: &scalingtypes.ScalableTargetAction{MinCapacity: &row.least, MaxCapacity: &row.most},
			})
			must(t, err)
		}
	}
	return client, databases
}

func createDatabase(t *testing.T, databases *rds.Client, name string) {
	t.Helper()
	_, err := databases.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &name, DBInstanceClass: aws.String("db.t4g.micro"), Engine: aws.String("postgres"),
		AllocatedStorage: aws.Int32(20), MasterUsername: aws.String("postgres"), MasterUserPassword: aws.String("not-a-secret"),
	})
	must(t, err)
}

// states are how the services and databases of all platforms on the emulator are.
func states(t *testing.T, client *ecs.Client, cluster string, services []string, databases *rds.Client, names ...string) string {
	t.Helper()
	var all []string
	seen, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &cluster, Services: services})
	must(t, err)
	for _, s := range seen.Services {
		all = append(all, fmt.Sprintf("%s %d", *s.ServiceName, s.RunningCount))
	}
	instances, err := databases.DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{})
	must(t, err)
	for _, i := range instances.DBInstances {
		if slices.Contains(names, *i.DBInstanceIdentifier) {
			all = append(all, *i.DBInstanceIdentifier+" "+*i.DBInstanceStatus)
		}
	}
	clusters, err := databases.DescribeDBClusters(t.Context(), &rds.DescribeDBClustersInput{})
	must(t, err)
	for _, c := range clusters.DBClusters {
		if slices.Contains(names, *c.DBClusterIdentifier) {
			all = append(all, *c.DBClusterIdentifier+" "+*c.Status)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestSleepAndWake(t *testing.T) {
	p := newPlatform(t, "hours")
	// More services than ECS describes in one call.
	services := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "orders"}
	client, databases := p.sleeper(t, services...)
	createDatabase(t, databases, "hours-dev-shop")
	createDatabase(t, databases, "hours-dev-read") // with a replica, which AWS does not stop
	_, err := databases.CreateDBInstanceReadReplica(t.Context(), &rds.CreateDBInstanceReadReplicaInput{
		DBInstanceIdentifier: aws.String("hours-dev-read-replica"), SourceDBInstanceIdentifier: aws.String("hours-dev-read"),
	})
	must(t, err)
	createDatabase(t, databases, "hours-other") // of somebody else
	_, err = databases.CreateDBCluster(t.Context(), &rds.CreateDBClusterInput{
		DBClusterIdentifier: aws.String("hours-dev-cluster"), Engine: aws.String("aurora-postgresql"),
		MasterUsername: aws.String("postgres"), MasterUserPassword: aws.String("not-a-secret"),
	})
	must(t, err)
	state := func() string {
		return states(t, client, "hours-dev", []string{"a", "orders"}, databases,
			"hours-dev-shop", "hours-dev-read", "hours-dev-read-replica", "hours-other", "hours-dev-cluster")
	}

	must(t, p.operator().Sleep(p.ctx, "dev"))
	want := "a 0, hours-dev-cluster stopped, hours-dev-read available, hours-dev-read-replica available, " +
		"hours-dev-shop stopped, hours-other available, orders 0"
	if got := state(); got != want {
		t.Errorf("asleep: %s\nwant    %s", got, want)
	}
	p.printed(t, "service a: 0 to 0 tasks\n", "service orders: 0 to 0 tasks\n", "service a: 0 running\n", "service orders: 0 running\n",
		"database hours-dev-read: available, and stays so: AWS stops no database with replicas\n",
		"database hours-dev-shop: available\n", "database hours-dev-shop: stopped\n",
		"dev is asleep until the next wake by schedule, cron(0 7 ? * MON-FRI *) Europe/Dublin\n")

	p.out = newLines()
	must(t, p.operator().Wake(p.ctx, "dev"))
	want = "a 2, hours-dev-cluster available, hours-dev-read available, hours-dev-read-replica available, " +
		"hours-dev-shop available, hours-other available, orders 2"
	if got := state(); got != want {
		t.Errorf("awake: %s\nwant   %s", got, want)
	}
	p.printed(t, "database hours-dev-shop: stopped\n", "database hours-dev-shop: available\n",
		"service a: 2 to 5 tasks\n", "service orders: 2 running\n",
		"dev is awake until the next sleep by schedule, cron(0 19 ? * MON-FRI *) Europe/Dublin\n")

	must(t, p.operator().Wake(p.ctx, "dev")) // who is awake already stays awake
}

func TestWakeSaysWhatDoesNotRun(t *testing.T) {
	p := newPlatform(t, "tired")
	_, databases := p.sleeper(t, "orders")
	createDatabase(t, databases, "tired-dev-shop")
	p.answer(t, "DescribeServices", func(_, _ []byte) []byte {
		return []byte(`{"failures": [], "services": [{"serviceName": "orders", "runningCount": 0, "events": [
			{"message": "(service orders) is unable to consistently start tasks successfully."}]}]}`)
	})
	ctx, cancel := context.WithTimeoutCause(p.ctx, 2*time.Second, errors.New("waited for 2s"))
	defer cancel()
	mustSay(t, p.operator().Wake(ctx, "dev"),
		"waited for 2s\nservice orders: 0 running, not 2 to 5: (service orders) is unable to consistently start tasks", "dev is not awake")
}

func TestWakeLeavesOutWhatWaitsForItsFirstRelease(t *testing.T) {
	p := newPlatform(t, "unreleased")
	client, _ := p.sleeper(t, "orders", "search")
	_, err := client.UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String("unreleased-dev"), Service: aws.String("search"), DesiredCount: aws.Int32(0),
	})
	must(t, err)
	_, err = scaling.NewFromConfig(p.aws).RegisterScalableTarget(t.Context(), &scaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
		ResourceId: aws.String("service/unreleased-dev/search"), MinCapacity: aws.Int32(0), MaxCapacity: aws.Int32(0),
		SuspendedState: &scalingtypes.SuspendedState{ScheduledScalingSuspended: aws.Bool(true)},
	})
	must(t, err)
	must(t, p.operator().Wake(p.ctx, "dev"))
	p.printed(t, "service search: it waits for its first release", "service orders: 2 to 5 tasks", "dev is awake")
	seen, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("unreleased-dev"), Services: []string{"search"}})
	must(t, err)
	if n := seen.Services[0].DesiredCount; n != 0 {
		t.Errorf("%d tasks of search are wanted, want none", n)
	}
}

func TestEnvironmentsWithoutSleepingHoursStayAwake(t *testing.T) {
	p := newPlatform(t, "insomnia")
	for _, command := range []func(context.Context, string) error{p.operator().Wake, p.operator().Sleep} {
		mustSay(t, command(p.ctx, "dev"), "environment dev has no sleeping hours")
	}
}

// --- logs and exec

func TestLogsPrintsEachLineOnceAndFollows(t *testing.T) {
	p := newPlatform(t, "logs")
	mustSay(t, p.operator().Logs(p.ctx, "dev", "no-such", time.Hour, false, p.out), `there is no service "no-such"`)
	client := cloudwatchlogs.NewFromConfig(p.aws)
	group, stream := aws.String("/ecs/orders"), aws.String("ecs/orders/0123456789abcdef")
	mustSay(t, p.operator().Logs(p.ctx, "dev", "orders", time.Hour, false, p.out), "there is no log group /ecs/orders")
	_, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(t, err)
	_, err = client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	must(t, err)
	say := func(line string, ago time.Duration) {
		_, err := client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: group, LogStreamName: stream,
			LogEvents: []logtypes.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().Add(-ago).UnixMilli())}},
		})
		must(t, err)
	}
	say("long ago", 2*time.Hour)
	say("just now", time.Second)
	must(t, p.operator().Logs(p.ctx, "dev", "orders", time.Hour, false, p.out))
	p.printed(t, " 01234567 | just now\n")
	if strings.Contains(p.out.String(), "long ago") {
		t.Errorf("a line of two hours ago is printed:\n%s", p.out)
	}

	ctx, interrupt := context.WithCancel(p.ctx)
	done, result := begun(func() error { return p.operator().Logs(ctx, "dev", "orders", time.Minute, true, p.out) })
	say("and then", 0)
	if !p.out.await("| and then\n", done) {
		t.Fatalf("it does not follow:\n%s", p.out)
	}
	interrupt()
	<-done
	must(t, *result)
	if n := strings.Count(p.out.String(), "just now"); n != 2 { // once by each command
		t.Errorf("a line is printed %d times by two commands:\n%s", n, p.out)
	}
}

// --- accounts

func TestOperatorsTouchNoOtherAccount(t *testing.T) {
	p := newPlatform(t, "wrong")
	client, queue, _ := p.queues(t, "order-placed", "", 1)
	p.answer(t, "GetCallerIdentity", func(_, response []byte) []byte {
		return bytes.ReplaceAll(response, []byte(devAccount), []byte(otherAccount))
	})
	mustSay(t, p.operator().Redrive(p.ctx, "dev", "order-placed", 0),
		"environment dev is account 444455556666, but AWS says that this is account 999999999999: nothing was done")
	holds(t, client, queue, 0)
}

// Who is logged in to the environment's account itself needs no role.
func TestOperatorsOfTheEnvironmentsAccountStayThere(t *testing.T) {
	p := newPlatform(t, "inside")
	p.queues(t, "order-placed", "", 0)
	p.answer(t, "AssumeRole", func(_, _ []byte) []byte { t.Error("a role was assumed"); return nil })
	o := p.operator()
	o.AWS = loggedIn(p.url, devAccount)
	must(t, o.Redrive(p.ctx, "dev", "order-placed", 0))
}

// The command itself, led to the emulator by nothing but environment variables.
func TestDeployCommandOperates(t *testing.T) {
	p := newPlatform(t, stacks.All.Platform.Name)
	environment, queue := stacks.All.Environments[0], stacks.All.Platform.Queues[0]
	p.aws.Credentials = credentials.NewStaticCredentialsProvider(environment.AccountID, "unused", "")
	end := ""
	if queue.FIFO {
		end = ".fifo"
	}
	name := fmt.Sprintf("%s-%s-%s-dead%s", stacks.All.Platform.Name, environment.Name, queue.Name, end)
	_, err := sqs.NewFromConfig(p.aws, func(o *sqs.Options) { o.Region = environment.Region }).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	must(t, err)

	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"redrive", environment.Name, queue.Name}, 0, "nothing to move"},
		{[]string{"redrive", environment.Name, "no-such"}, 3, `deploy: there is no queue "no-such": name one of `},
		{[]string{"wake", "no-such"}, 3, `deploy: there is no environment "no-such": name one of ` + environment.Name},
		{[]string{"run", environment.Name}, 2, "deploy: run: name a task"},
	} {
		if code, output := command(t, nil, test.args...); code != test.code || !strings.Contains(output, test.says) {
			t.Errorf("%q: exit code %d, want %d, and %q in\n%s", test.args, code, test.code, test.says, output)
		}
	}
}

// command runs the built command, led to the emulator by nothing but environment variables.
func command(t *testing.T, env []string, args ...string) (code int, output string) {
	t.Helper()
	program, err := program()
	must(t, err)
	w, err := operateWorld()
	must(t, err)
	run := exec.CommandContext(t.Context(), program, args...)
	run.Env = append(w.emulator.Environ(stacks.All.Shared.AccountID, stacks.All.Shared.Region), env...)
	text, _ := run.CombinedOutput()
	return run.ProcessState.ExitCode(), string(text)
}

var program = sync.OnceValues(func() (string, error) {
	program := filepath.Join(scratch, "deploy")
	build := exec.Command("go", "build", "-o", program, "./cmd/deploy")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return program, nil
})

// The AWS CLI is a stand-in that tells what it was started with.
func TestExecStartsTheAWSCLIInATaskThatRuns(t *testing.T) {
	p := newPlatform(t, stacks.All.Platform.Name)
	environment := stacks.All.Environments[0]
	if code, output := command(t, []string{"PATH=" + t.TempDir()}, "exec", environment.Name, "orders"); code != 3 ||
		!strings.Contains(output, "is not on PATH; ECS Exec needs it: install ") {
		t.Errorf("without the CLI: exit code %d, and %s", code, output)
	}
	tools := t.TempDir()
	seen := filepath.Join(tools, "seen")
	for name, script := range map[string]string{
		"session-manager-plugin": "",
		"aws":                    fmt.Sprintf(`printf '%%s|' "$@" "$AWS_ACCESS_KEY_ID" > %s; exit 7`, seen),
	} {
		must(t, os.WriteFile(filepath.Join(tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	path := []string{"PATH=" + tools + ":/usr/bin:/bin"}
	p.aws.Credentials = credentials.NewStaticCredentialsProvider(environment.AccountID, "unused", "")
	client := ecs.NewFromConfig(p.aws, func(o *ecs.Options) { o.Region = environment.Region })
	cluster := stacks.All.Platform.Name + "-" + environment.Name
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &cluster})
	must(t, err)
	if code, output := command(t, path, "exec", environment.Name, "orders"); code != 3 || !strings.Contains(output, "no task of orders runs") {
		t.Errorf("without a task: exit code %d, and %s", code, output)
	}
	family := cluster + "-orders"
	_, err = client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family:               &family,
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("orders"), Image: aws.String("example/app"), Memory: aws.Int32(128)}},
	})
	must(t, err)
	started, err := client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &family})
	must(t, err)
	task := *started.Tasks[0].TaskArn

	if code, output := command(t, path, "exec", environment.Name, "orders", "--", "/app", "-say", "two words"); code != 7 {
		t.Errorf("exit code %d, want the CLI's: %s", code, output)
	}
	text, err := os.ReadFile(seen)
	must(t, err)
	words := strings.Split(strings.TrimSuffix(string(text), "|"), "|")
	want := []string{
		"ecs", "execute-command", "--region", environment.Region, "--cluster", cluster, "--task", task[strings.LastIndexByte(task, '/')+1:],
		"--container", "orders", "--interactive", "--command", "/app -say 'two words'",
	}
	if !slices.Equal(words[:len(words)-1], want) {
		t.Errorf("the CLI got %q, want %q", words, want)
	}
	if key := words[len(words)-1]; key == stacks.All.Shared.AccountID {
		t.Error("the CLI has the credentials of who is logged in and not those of the environment")
	}
}

// strict reads JSON that holds nothing else.
func strict(t *testing.T, text []byte, into any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%v in %s", err, text)
	}
}

func asJSON(t *testing.T, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		t.Error(err)
	}
	return text
}
