package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"aws-microservices/constructs/delivery"
	"aws-microservices/constructs/registry"
	"aws-microservices/internal/operate"
	"aws-microservices/internal/release"
	"aws-microservices/internal/sdk"
)

// released is a platform whose service orders and task migrate can be released.
type released struct {
	*platform
	ecs *ecs.Client
	ssm *ssm.Client
	ecr *ecr.Client
}

// newReleased makes what Terraform makes: service, task definitions, ledgers, and repositories in the shared account.
func newReleased(t *testing.T, name string) *released {
	t.Helper()
	p := newPlatform(t, name)
	shared, err := sdk.Load(t.Context(), region, loggedIn(p.url, sharedAccount)...)
	must(t, err)
	r := &released{p, ecs.NewFromConfig(p.aws), ssm.NewFromConfig(p.aws), ecr.NewFromConfig(shared)}
	cluster := name + "-dev"
	_, err = r.ecs.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &cluster})
	must(t, err)
	for _, service := range []string{"orders", "migrate"} {
		_, err := r.ecr.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(name + "/" + service)})
		must(t, err)
		_, err = r.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(cluster + "-" + service), NetworkMode: ecstypes.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
			ContainerDefinitions: []ecstypes.ContainerDefinition{
				{Name: aws.String("helper"), Image: aws.String("example/helper:1")},
				{Name: &service, Image: aws.String(r.address(service) + ":unreleased"), Essential: aws.Bool(true)},
			},
			Tags: []ecstypes.Tag{{Key: aws.String("Environment"), Value: aws.String("dev")}},
		})
		must(t, err)
		_, err = r.ssm.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: r.parameter(service), Value: aws.String(r.address(service) + ":unreleased"), Type: ssmtypes.ParameterTypeString,
			Description: aws.String("The image " + service + " runs; written by releases"),
		})
		must(t, err)
	}
	_, err = r.ecs.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: &cluster, ServiceName: aws.String("orders"), TaskDefinition: aws.String(cluster + "-orders"), DesiredCount: aws.Int32(0),
		DeploymentConfiguration: &ecstypes.DeploymentConfiguration{
			DeploymentCircuitBreaker: &ecstypes.DeploymentCircuitBreaker{Enable: true, Rollback: true},
		},
	})
	must(t, err)
	return r
}

func (r *released) parameter(service string) *string {
	return aws.String(fmt.Sprintf("/%s/dev/%s/image", r.name, service))
}

func (r *released) address(service string) string {
	return registry.URL(sharedAccount, region, r.name) + "/" + service
}

// push puts an image into the registry under tags, and returns it by digest.
func (r *released) push(t *testing.T, service string, tags ...string) string {
	t.Helper()
	manifest := fmt.Sprintf(`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:%064d", "size": 2}, "layers": [], "annotations": {"tags": %q}}`,
		len(tags), strings.Join(tags, " "))
	var digest string
	for _, tag := range tags {
		put, err := r.ecr.PutImage(t.Context(), &ecr.PutImageInput{
			RepositoryName: aws.String(r.name + "/" + service), ImageManifest: &manifest, ImageTag: &tag,
		})
		must(t, err)
		digest = aws.ToString(put.Image.ImageId.ImageDigest)
	}
	return r.address(service) + "@" + digest
}

func (r *released) releaser() release.Releaser {
	o := r.operator()
	o.Config.Environments[0].Size.MinTasks, o.Config.Environments[0].Size.MaxTasks = 2, 2
	// No site: the page is released to a bucket, elsewhere.
	o.Config.Platform.Services[0].Path = "/"
	return release.Releaser{Operator: operate.Operator{Config: o.Config, Out: r.out, AWS: o.AWS}}
}

// runs is the image of the service's tasks, and that of the newest revision, which Terraform takes for its own.
func (r *released) runs(t *testing.T, family string) string {
	t.Helper()
	found, err := r.ecs.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: aws.String(family), Include: []ecstypes.TaskDefinitionField{ecstypes.TaskDefinitionFieldTags},
	})
	must(t, err)
	d := found.TaskDefinition
	if aws.ToString(d.ContainerDefinitions[0].Image) != "example/helper:1" {
		t.Errorf("the helper's image is %s", aws.ToString(d.ContainerDefinitions[0].Image))
	}
	if len(found.Tags) != 1 || aws.ToString(d.Cpu) != "256" {
		t.Errorf("the copy lost something: %+v, tags %v", d, found.Tags)
	}
	return aws.ToString(d.ContainerDefinitions[1].Image)
}

// agrees fails unless ledger, newest revision and service all say the image.
func (r *released) agrees(t *testing.T, image string) {
	t.Helper()
	found, err := r.ssm.GetParameter(t.Context(), &ssm.GetParameterInput{Name: r.parameter("orders")})
	must(t, err)
	services, err := r.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(r.name + "-dev"), Services: []string{"orders"}})
	must(t, err)
	ledger, newest, runs := aws.ToString(found.Parameter.Value), r.runs(t, r.name+"-dev-orders"), r.runs(t, *services.Services[0].TaskDefinition)
	if ledger != image || newest != image || runs != image {
		t.Errorf("the ledger says %s, the newest revision %s, the service %s; want %s", ledger, newest, runs, image)
	}
}

func TestReleasesGoByDigestAndBack(t *testing.T) {
	p := newReleased(t, "release")
	first := p.push(t, "orders", "v1.0.0", "commit-1111111aaaa")
	second := p.push(t, "orders", "v1.1.0", "commit-2222222bbbb", "latest")
	r := p.releaser()

	status, err := r.Status(p.ctx, "dev")
	must(t, err)
	if row := status.Services[0]; row.State != "unreleased" || len(row.Problems) > 0 {
		t.Errorf("before its first release: %+v", row)
	}
	_, err = r.Verify(p.ctx, "dev")
	must(t, err)

	outcome, err := r.Deploy(p.ctx, "dev", "orders", "commit-1111111")
	must(t, err)
	p.agrees(t, first)
	if outcome.Version != "v1.0.0" || outcome.Commit != "1111111aaaa" || outcome.Result != release.Serves {
		t.Errorf("outcome %+v", outcome)
	}
	services, err := p.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("release-dev"), Services: []string{"orders"}})
	must(t, err)
	if s := services.Services[0]; s.DesiredCount != 2 || s.RunningCount != 2 {
		t.Errorf("%d of %d tasks run after the first release, want 2", s.RunningCount, s.DesiredCount)
	}

	_, err = r.Deploy(p.ctx, "dev", "orders", "latest")
	must(t, err)
	p.agrees(t, second)
	_, err = r.Rollback(p.ctx, "dev", "orders", "")
	must(t, err)
	p.agrees(t, first)
	_, err = r.Rollback(p.ctx, "dev", "orders", "")
	mustSay(t, err, "no earlier release")
	_, err = r.Rollback(p.ctx, "dev", "orders", "v1.1.0")
	must(t, err)
	p.agrees(t, second)

	history, err := r.History(p.ctx, "dev", "orders")
	must(t, err)
	var versions []string
	for _, e := range history {
		versions = append(versions, e.Version)
	}
	if want := []string{"v1.1.0", "v1.0.0", "v1.1.0", "v1.0.0", ""}; !slices.Equal(versions, want) {
		t.Errorf("the history is %q, want %q", versions, want)
	}
	if back := history[1]; back.Note != "rolled back from v1.1.0" || back.RolledBack != second || back.Commit != "1111111aaaa" || back.At.IsZero() {
		t.Errorf("the rollback is %+v", back)
	}
	_, err = r.Verify(p.ctx, "dev")
	must(t, err)
	status, err = r.Status(p.ctx, "dev")
	must(t, err)
	var table bytes.Buffer
	status.Print(&table)
	if row := status.Services[0]; row.State != "serves" || row.Version != "v1.1.0" || row.Running != 2 || len(row.Problems) > 0 {
		t.Errorf("%+v\n%s", row, table.String())
	}

	shared, err := sdk.Load(t.Context(), region, loggedIn(p.url, sharedAccount)...)
	must(t, err)
	for account, want := range map[*aws.Config]int{&shared: 3, &p.aws: 0} {
		metrics, err := cloudwatch.NewFromConfig(*account).ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String(delivery.Namespace)})
		must(t, err)
		for _, name := range []string{"DeploymentStatus", "RestoreSeconds"} {
			found := map[int]bool{}
			for _, m := range metrics.Metrics {
				if aws.ToString(m.MetricName) == name {
					found[len(m.Dimensions)] = true
				}
			}
			if len(found) != want {
				t.Errorf("%s is there with so many dimensions: %v; want none, one and two, in the shared account alone", name, found)
			}
		}
	}
}

func TestATasksReleaseIsWhatStartsNext(t *testing.T) {
	p := newReleased(t, "release-task")
	image := p.push(t, "migrate", "v1.0.0")
	_, err := p.releaser().Deploy(p.ctx, "dev", "migrate", "v1.0.0")
	must(t, err)
	if runs := p.runs(t, "release-task-dev-migrate"); runs != image {
		t.Errorf("the newest revision has %s, want %s", runs, image)
	}
}

func TestWhatCannotBeReleasedIsRefused(t *testing.T) {
	p := newReleased(t, "release-refused")
	p.push(t, "orders", "v1.0.0", "commit-1111111aaaa")
	p.push(t, "orders", "v1.1.0", "commit-1111111bbbb")
	for _, test := range []struct{ service, version, says string }{
		{"orders", "v9.9.9", "has no image v9.9.9: the newest are "},
		{"orders", "1.0.0", "is no version"},
		{"orders", "commit-1111111", "is more than one image"},
		{"migrate", "latest", "it has none that is tagged"},
		{"nothing", "v1.0.0", `there is no service "nothing": name one of orders, migrate`},
	} {
		_, err := p.releaser().Deploy(p.ctx, "dev", test.service, test.version)
		mustSay(t, err, test.says)
		if code := release.ExitCode(err); code != release.ExitRefused {
			t.Errorf("%s %s: exit code %d", test.service, test.version, code)
		}
	}
	_, err := p.releaser().Rollback(p.ctx, "dev", "orders", "")
	mustSay(t, err, "no earlier release")
	p.agrees(t, p.address("orders")+":unreleased")
}

// throttle makes AWS refuse the operation so often, after it has done nothing.
func (r *released) throttle(t *testing.T, operation string, times int) {
	t.Helper()
	emulator, err := url.Parse(r.url)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(emulator)
	var left atomic.Int32
	left.Store(int32(times))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.HasSuffix(request.Header.Get("X-Amz-Target"), "."+operation) && left.Add(-1) >= 0 {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "ThrottlingException", "message": "Rate exceeded"}`)
			return
		}
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(front.Close)
	r.url = front.URL
}

// ECS throttles and faults; the release takes longer and is done once.
func TestAReleaseIsDoneOnceThroughThrottling(t *testing.T) {
	for _, operation := range []string{"PutParameter", "RegisterTaskDefinition", "UpdateService", "DescribeServices", "GetParameterHistory"} {
		t.Run(operation, func(t *testing.T) {
			p := newReleased(t, "throttled-"+strings.ToLower(operation))
			image := p.push(t, "orders", "v1.0.0")
			p.throttle(t, operation, 2)
			_, err := p.releaser().Deploy(p.ctx, "dev", "orders", "v1.0.0")
			must(t, err)
			p.agrees(t, image)
		})
	}
}

func TestAnInterruptedReleaseIsFoundAgain(t *testing.T) {
	p := newReleased(t, "release-again")
	image := p.push(t, "orders", "v1.0.0")
	ctx, interrupt := context.WithCancelCause(p.ctx)
	hold := true
	p.answer(t, "DescribeServices", func(_, response []byte) []byte {
		if !hold || !bytes.Contains(response, []byte("@sha256:")) && !strings.Contains(p.out.String(), "deployment ecs-svc/") {
			return response
		}
		interrupt(errors.New("interrupted"))
		return under(t, response)
	})
	_, err := p.releaser().Deploy(ctx, "dev", "orders", "v1.0.0")
	mustSay(t, err, "interrupted", "the deployment goes on", "to carry on: ./deploy.sh deploy dev orders v1.0.0")
	if code := release.ExitCode(err); code != release.ExitUnfinished {
		t.Errorf("exit code %d", code)
	}
	hold = false
	_, err = p.releaser().Deploy(p.ctx, "dev", "orders", "v1.0.0")
	must(t, err)
	p.agrees(t, image)
	history, err := p.releaser().History(p.ctx, "dev", "orders")
	must(t, err)
	if len(history) != 2 {
		t.Errorf("the ledger has %d entries, want the placeholder and one release", len(history))
	}
}

// under makes a service's deployments such that go on.
func under(t *testing.T, response []byte) []byte {
	var answer map[string]any
	if err := json.Unmarshal(response, &answer); err != nil {
		t.Error(err)
		return response
	}
	for _, service := range answer["services"].([]any) {
		for _, deployment := range service.(map[string]any)["deployments"].([]any) {
			deployment.(map[string]any)["rolloutState"] = "IN_PROGRESS"
		}
	}
	return asJSON(t, answer)
}
