package release_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// flaky is AWS on a bad day.
type flaky struct {
	*httptest.Server
	calls, refused, dropped atomic.Int32
}

// newFlaky passes requests on to AWS, but throttles every third and loses the connection of every twelfth: at most two in a row,
// which is what the SDK bears where a call is made once.
func newFlaky(t *testing.T, to string) *flaky {
	target, err := url.Parse(to)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	f := &flaky{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := f.calls.Add(1); {
		case n%3 == 1:
			f.refused.Add(1)
			throttle(w, r.Header.Get("Content-Type"))
		case n%12 == 5:
			f.dropped.Add(1)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// throttle refuses a request in the words of its protocol.
func throttle(w http.ResponseWriter, protocol string) {
	if strings.Contains(protocol, "cbor") {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body := `{"__type":"ThrottlingException","message":"Rate exceeded"}`
	if strings.Contains(protocol, "form-urlencoded") {
		protocol = "text/xml"
		body = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
	}
	w.Header().Set("Content-Type", protocol)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(body))
}

// hollow pushes the manifest of v9.3.0 without what it names.
func hollow(t *testing.T, w *world) func() {
	t.Helper()
	cfg, err := sdk.Load(t.Context(), stacks.All.Shared.Region, w.Operator()...)
	must(t, err)
	const media = "application/vnd.docker.distribution.manifest.v2+json"
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"size":7,"digest":"sha256:%064d"},"layers":[]}`,
		media, "application/vnd.docker.container.image.v1+json", 0)
	_, err = ecr.NewFromConfig(cfg).PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: aws.String("shop/" + name), ImageTag: aws.String("v9.3.0"),
		ImageManifest: &manifest, ImageManifestMediaType: aws.String(media),
	})
	must(t, err)
	return func() {}
}

// demandSecret registers a revision that needs a secret which does not exist, as somebody might by hand, until after the deploy.
func demandSecret(t *testing.T, w *world) func() {
	t.Helper()
	family := w.Cluster() + "-" + name
	found, err := w.ecs.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &family})
	must(t, err)
	d := found.TaskDefinition
	d.ContainerDefinitions[0].Secrets = []ecstypes.Secret{{
		Name: aws.String("PASSWORD"), ValueFrom: aws.String("arn:aws:secretsmanager:eu-west-1:444455556666:secret:no-such-secret-AbCdEf"),
	}}
	made, err := w.ecs.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Volumes: d.Volumes, NetworkMode: d.NetworkMode,
		RequiresCompatibilities: d.RequiresCompatibilities, Cpu: d.Cpu, Memory: d.Memory, RuntimePlatform: d.RuntimePlatform,
		ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn,
	})
	must(t, err)
	return func() {
		_, err := w.ecs.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: made.TaskDefinition.TaskDefinitionArn})
		must(t, err)
	}
}
