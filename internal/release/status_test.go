package release

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// golden fails unless the text is that of the file, and fits into a terminal.
func golden(t *testing.T, file, text string, fits bool) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); fits && n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestStatusReadsWellAtEightyColumns(t *testing.T) {
	hash := strings.Repeat("9ab01cd", 6)[:40]
	orders := stacks.Service{Name: "orders", Kind: service.Web}
	rows := func() []Row {
		good := newModel("a")
		good.entries[1].Label = Label{Version: "v1.2.3", Commit: hash}
		deploying := newModel("a")
		deploying.entries[1].Label = Label{Version: "commit-" + hash, Commit: hash}
		deploying.append(image("b"), Label{Version: "v1.2.4", Commit: hash})
		deploying.start(deploying.add(image("b")), nil, false)
		apart := newModel("a")
		apart.append(image("b"), Label{Version: "v1.2.4", Commit: hash})
		apart.entries[2].By = "arn:aws:sts::444455556666:assumed-role/OrganizationAccountAccessRole/operate-jane-doe-example-com"
		short := newModel("a")
		short.service.Running = 1
		failed := newModel("a")
		failed.noRollback, failed.behaves[image("b")] = true, crashing
		failed.append(image("b"), Label{Version: "v1.2.4", Commit: hash})
		failed.start(failed.add(image("b")), nil, false)
		for range 5 {
			failed.advance()
		}
		var all []Row
		for _, one := range []struct {
			name string
			kind service.Kind
			m    *model
		}{
			{"catalog", service.Web, good},
			{"orders", service.Web, deploying},
			{"a-service-with-a-long-name", service.Internal, apart},
			{"mailer", service.Worker, short},
			{"shipping", service.Worker, failed},
			{"search", service.Internal, waitingModel(true)},
			{"report", service.Job, good},
			{"migrate", service.Task, apart},
		} {
			s := stacks.Service{Name: one.name, Kind: one.kind}
			seen, err := observe(t.Context(), one.m, s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, seen.row(s, "dev"))
		}
		return append(all, pageRow(Entry{Value: "v1.2.3", Label: Label{Version: "v1.2.3", Commit: hash}, By: "arn:x/operate-jane", At: noon}))
	}()
	var out strings.Builder
	Status{Environment: "dev", AccountID: "444455556666", Region: "eu-west-1", Services: rows}.Print(&out)
	golden(t, "testdata/status.txt", out.String(), true)

	seen, _ := observe(t.Context(), newModel("a"), orders)
	if row := seen.row(orders, "dev"); row.State != "serves" || len(row.Problems) > 0 || row.Version != "va" || row.By != "jane" {
		t.Errorf("%+v", row)
	}
}

func TestHistoryIsATable(t *testing.T) {
	history := []Entry{
		{Number: 4, At: noon, Value: image("a"), By: "arn:x/operate-jane", Label: Label{
			Version: "v1.2.3", Commit: strings.Repeat("a", 40), Note: "v1.2.4 was rolled back: tasks failed to start", RolledBack: image("b"),
		}},
		{Number: 3, At: noon, Value: image("b"), By: "arn:x/operate-jane", Label: Label{Version: "v1.2.4"}},
		{Number: 2, At: noon, Value: image("a"), By: "arn:x/ci", Label: Label{Version: "commit-" + strings.Repeat("a", 40), Commit: strings.Repeat("a", 40)}},
		{Number: 1, At: noon, Value: repositoryAddress + ":unreleased", By: "arn:x/terraform", Label: Label{Note: "The image orders runs; written by releases"}},
	}
	var out strings.Builder
	PrintHistory(&out, history)
	golden(t, "testdata/history.txt", out.String(), false)
}

// How tasks end, in the words of AWS.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func TestWhyATaskStoppedIsALine(t *testing.T) {
	for want, task := range map[string]Task{
		"01234567 stopped (EssentialContainerExited): Essential container in task exited; container orders exited with 137: OutOfMemoryError: killed": {
			ID: "0123456789", StopCode: "EssentialContainerExited", Reason: "Essential container in task exited",
			Containers: []Container{{Name: "orders", ExitCode: aws.Int(137), Reason: "OutOfMemoryError: killed"}},
		},
		"01234567 stopped (TaskFailedToStart): CannotPullContainerError: not found": {
			ID: "0123456789", StopCode: "TaskFailedToStart", Reason: "CannotPullContainerError: not found", Containers: []Container{{Name: "orders"}},
		},
		"01234567 stopped (TaskFailedToStart): ResourceInitializationError: unable to pull secrets": {
			ID: "0123456789", StopCode: "TaskFailedToStart", Reason: "ResourceInitializationError: unable to pull secrets",
		},
		"01234567 runs and is unhealthy": {ID: "0123456789", Health: "UNHEALTHY"},
	} {
		if got := task.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOnlyEventsOfTheReleaseThatTellSomething(t *testing.T) {
	events := []event{ // the newest first, as ECS has them
		{noon.Add(5), "(service orders) rolling back to deployment ecs-svc/1."},
		{noon.Add(4), "(service orders) was unable to place a task."},
		{noon.Add(3), "(service orders) was unable to place a task."},
		{noon.Add(2), "(service orders) has started 1 tasks: (task 0123)."},
		{noon.Add(-1), "(service orders) (deployment ecs-svc/0) deployment failed: tasks failed to start."},
	}
	want := []string{"(service orders) was unable to place a task.", "(service orders) rolling back to deployment ecs-svc/1."}
	if diff := cmp.Diff(want, relevant(events, noon)); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsOfDelivery(t *testing.T) {
	got := map[string]float64{}
	for _, d := range (measures{Serves: true, Seconds: 90, LeadSeconds: 3600, RestoreSeconds: 600}).data("dev", "orders") {
		name := *d.MetricName
		for _, dimension := range d.Dimensions {
			name += " " + *dimension.Name + "=" + *dimension.Value
		}
		got[name] = *d.Value
	}
	want := map[string]float64{}
	for name, value := range map[string]float64{
		"DeploymentStatus": 1, "DeploymentSeconds": 90, "Rollbacks": 0, "LeadTimeSeconds": 3600, "RestoreSeconds": 600,
	} {
		for _, of := range []string{"", " Environment=dev", " Environment=dev Service=orders"} {
			want[name+of] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if data := (measures{}).data("dev", "orders"); len(data) != 9 || *data[0].Value != 0 {
		t.Errorf("a release that failed, of an unknown commit: %v", data)
	}
}

// --- verify

func TestVerify(t *testing.T) {
	orders := stacks.Service{Name: "orders", Kind: service.Web}
	for name, test := range map[string]struct {
		model *model
		code  int
		texts []string
	}{
		"serves":    {newModel("a"), ExitServes, nil},
		"waits":     {waitingModel(true), ExitServes, nil},
		"under way": {changed(newModel("a"), good), ExitServes, nil},
		"a change of Terraform that is rolled back": {
			changed(newModel("a"), crashing), ExitFailed, []string{"orders: shop-dev-orders:2 (va) does not serve", "tasks failed to start"},
		},
		"a change that was rolled back before anybody looked": {
			later(changed(newModel("a"), crashing)), ExitFailed, []string{"the service runs shop-dev-orders:1 and not the newest"},
		},
		"short of tasks": {shortModel(), ExitFailed, []string{"its tasks do not stay: 1 of 2 tasks run"}},
		"the ledger says something else": {
			func() *model { m := newModel("a"); m.append(image("b"), Label{Version: "vb"}); return m }(), ExitFailed,
			[]string{"the ledger says vb (bbbbbbb), the service runs va (aaaaaaa): ./deploy.sh deploy dev orders vb"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := test.model.release("a")
			wants(t, r.verify(t.Context(), orders), test.code, test.texts...)
			if len(test.model.done) > 0 {
				t.Errorf("did %q", test.model.done)
			}
		})
	}
	m := newModel("a")
	m.fails = map[string][]error{"look": {throttled, errors.New("AccessDenied")}}
	wants(t, m.release("a").verify(t.Context(), orders), ExitFailed, "AccessDenied")
}

// A release that is on its way from the ledger to the service is no disagreement.
func TestVerifyWaitsForAReleaseOnItsWay(t *testing.T) {
	m := newModel("a")
	m.append(image("b"), Label{Version: "vb"})
	m.onLook = map[int]func(){4: func() { m.start(m.add(image("b")), nil, false) }}
	r := m.release("a")
	wants(t, r.verify(t.Context(), stacks.Service{Name: "orders", Kind: service.Web}), ExitServes)
	if r.outcome.Version != "vb" || r.outcome.Result != Serves {
		t.Errorf("outcome %+v", r.outcome)
	}
}

// changed is a service to which Terraform gives a new shape, with the image of the ledger.
func changed(m *model, behaves behaviour) *model {
	r := m.add(image("a"))
	m.all[len(m.all)-1].behaves = behaves
	m.start(r, nil, false)
	return m
}

func later(m *model) *model {
	for range 20 {
		m.advance()
	}
	return m
}

func shortModel() *model {
	m := newModel("a")
	m.service.Running, m.service.Deployments[0].Running = 1, 1
	return m
}
