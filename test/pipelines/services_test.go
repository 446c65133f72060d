//go:build pipelines

package pipelines_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"aws-microservices/internal/operate"
	"aws-microservices/internal/release"
	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// few leaves the platform two of its services, because each takes half a minute in each environment, and excepts the vulnerability
// that Grype's database has for every Go program.
func (r *Repository) few(t *testing.T) {
	t.Helper()
	r.Edit(t, "stacks/platform.go", "Platform: Shop,", "Platform: few(Shop),")
	r.Write(t, "stacks/few.go", `package stacks

func few(p Platform) Platform {
	var services []Service
	for _, s := range p.Services {
		if s.Name == "catalog" || s.Name == "migrate" {
			services = append(services, s)
		}
	}
	p.Services = services
	return p
}
`)
	r.except(t)
	r.Commit(t, "two services")
}

const exceptions = ".trivyignore.yaml"

func (r *Repository) except(t *testing.T) {
	t.Helper()
	expires := time.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	r.Write(t, exceptions, "vulnerabilities:\n  - id: CVE-2099-0001\n    statement: made up for the tests, and harmless\n    expired_at: "+expires+"\n")
}

// append adds a text to the end of a file.
func (r *Repository) append(t *testing.T, name, text string) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(r.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	r.Write(t, name, string(before)+text)
}

// Tag gives the commit that is checked out a tag.
func (r *Repository) Tag(t *testing.T, name string) {
	t.Helper()
	r.git(t, "tag", name)
}

// released is a repository whose services serve in every environment, released by hand.
func released(t *testing.T) *Repository {
	t.Helper()
	w := open(t)
	r := w.Repository(t)
	r.few(t)
	for _, e := range stacks.All.Environments {
		if w.status(t, e.Name, "catalog").Running == 0 {
			r.Run(t, Event{Name: "workflow_dispatch"}, "backend.yml").Want(t, everywhere("migrate", "catalog"))
			break
		}
	}
	return r
}

// everywhere are the jobs of backend.yml when it releases services into all environments.
func everywhere(services ...string) map[string]string {
	jobs := map[string]string{
		"changed": "success", "test": "success", "dev / release": "success", "staging / release": "success", "prod / release": "success",
	}
	for _, s := range services {
		jobs["image ("+s+")"] = "success"
	}
	return jobs
}

// status is how a service, or the page, is.
func (w *world) status(t *testing.T, environment, service string) release.Row {
	t.Helper()
	r := release.Releaser{Operator: operate.Operator{Config: stacks.All, Out: io.Discard, AWS: w.Operator()}}
	status, err := r.Status(t.Context(), environment)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range status.Services {
		if row.Service == service {
			return row
		}
	}
	t.Fatalf("%s has no %s", environment, service)
	return release.Row{}
}

// tags are those of a service's image in the registry, by what they name.
func (w *world) tags(t *testing.T, service string) map[string]string {
	t.Helper()
	cfg, err := sdk.Load(t.Context(), stacks.All.Shared.Region, w.Operator()...)
	if err != nil {
		t.Fatal(err)
	}
	name := stacks.All.Platform.Name + "/" + service
	found, err := ecr.NewFromConfig(cfg).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: &name, Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged},
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, image := range found.ImageDetails {
		for _, tag := range image.ImageTags {
			all[tag] = *image.ImageDigest
		}
	}
	return all
}

func TestAChangeOfAServiceReachesProd(t *testing.T) {
	r := released(t)
	w := r.world
	r.append(t, "apps/catalog/catalog.go", "\n// Better than before.\n")
	r.Open(t, 41, "better-catalog")
	r.Run(t, Event{Name: "pull_request", Pull: 41}, "backend.yml").Want(t, map[string]string{
		"changed": "success", "test": "success", "build (catalog)": "success", "backend": "success",
	})
	before := r.Merge(t, 41)
	version := "commit-" + r.Head(t)[:12]
	merged := r.Run(t, Event{Name: "push", Before: before}, "backend.yml")
	merged.Want(t, everywhere("migrate", "catalog"))
	digest := w.tags(t, "catalog")[version]
	if digest == "" || w.tags(t, "catalog")["latest"] != digest {
		t.Errorf("the registry has %v: want %s and latest to be one image", w.tags(t, "catalog"), version)
	}
	for _, e := range stacks.All.Environments {
		if row := w.status(t, e.Name, "catalog"); row.Version != version || row.Digest != digest || row.Running == 0 {
			t.Errorf("%s runs %+v, want %s, %s", e.Name, row, version, digest)
		}
	}

	t.Run("a tag names it and builds nothing", func(t *testing.T) {
		images := len(w.tags(t, "catalog"))
		r.Tag(t, "v1.0.0")
		tagged := r.Run(t, Event{Name: "push", Ref: "refs/tags/v1.0.0"}, "backend.yml")
		tagged.Want(t, everywhere("migrate", "catalog"))
		tagged.Says(t, "catalog: v1.0.0 is what it runs already", "Verification succeeded!")
		if got := w.tags(t, "catalog"); got["v1.0.0"] != digest || len(got) != images+1 {
			t.Errorf("the registry has %v: want v1.0.0 to be %s", got, digest)
		}
	})

	t.Run("what is older is not released after it", func(t *testing.T) {
		// As a run that waited for its reviewers until now.
		r.git(t, "checkout", "--quiet", "--detach", before)
		late := r.Run(t, Event{Name: "workflow_dispatch"}, "backend.yml")
		r.git(t, "checkout", "--quiet", "main")
		jobs := everywhere("migrate", "catalog")
		delete(jobs, "staging / release")
		delete(jobs, "prod / release")
		jobs["dev / release"] = "failure"
		late.Want(t, jobs)
		late.Says(t, "is older: nothing was released", "./deploy.sh rollback")
	})

	t.Run("one that does not start is taken back, and goes no further", func(t *testing.T) {
		r.Edit(t, "apps/catalog/main.go", "func main() {\n", "func main() {\n\tif len(os.Args) == 1 {\n\t\tpanic(\"the shelves are empty\")\n\t}\n")
		r.Edit(t, "apps/catalog/main.go", "\t\"context\"\n", "\t\"context\"\n\t\"os\"\n")
		before := r.Head(t)
		r.Commit(t, "a service that does not start")
		jobs := everywhere("catalog")
		delete(jobs, "staging / release")
		delete(jobs, "prod / release")
		jobs["dev / release"] = "failure"
		crashed := r.Run(t, Event{Name: "push", Before: before}, "backend.yml")
		crashed.Want(t, jobs)
		crashed.Says(t, "the shelves are empty", "| catalog |", "ECS rolled it back", "| rolled back |")
		if got := w.measured(t, "DeploymentStatus", cloudwatchtypes.StatisticMinimum, map[string]string{"Environment": "dev", "Service": "catalog"}); got != 0 {
			t.Errorf("the deployment's status is %v, want 0", got)
		}
		for _, e := range stacks.All.Environments {
			if row := w.status(t, e.Name, "catalog"); row.Digest != digest || row.Running == 0 {
				t.Errorf("%s runs %+v, want what ran before: %s", e.Name, row, digest)
			}
		}
	})
}

func TestABadChangeOfAServiceDoesNotGetIn(t *testing.T) {
	r := open(t).Repository(t)
	r.few(t)
	r.append(t, "apps/catalog/catalog_test.go", "\nfunc TestNothingWorks(t *testing.T) { t.Error(\"it does not\") }\n")
	r.append(t, "apps/catalog/catalog.go", "\n// Better than before.\n")
	r.Write(t, exceptions, "vulnerabilities: []\n")
	r.Open(t, 42, "bad-catalog")
	run := r.Run(t, Event{Name: "pull_request", Pull: 42}, "backend.yml")
	run.Want(t, map[string]string{"changed": "success", "test": "failure", "build (catalog)": "failure", "backend": "failure"})
	run.Says(t, "TestNothingWorks", "CVE-2099-0001", "an entry in .trivyignore.yaml")
	run.Reported(t, r.world, "backend", "test", 1, "TestNothingWorks")
	run.Reported(t, r.world, "backend", "changed", 0, "catalog")
	if strings.Contains(run.Summary(), "CVE-2099-0002") {
		t.Error("a vulnerability that nobody can mend is in the way")
	}
}

func TestAPageReachesProdAndABadOneIsTakenBack(t *testing.T) {
	r := released(t)
	w := r.world
	wanted := map[string]string{"build": "success", "dev / release": "success", "staging / release": "success", "prod / release": "success"}
	before := r.Head(t)
	r.append(t, "apps/web/src/styles/main.css", "\n:root {\n  --new: 1px;\n}\n")
	version := "commit-" + r.Commit(t, "a page")[:12]
	r.Run(t, Event{Name: "push", Before: before}, "frontend.yml").Want(t, maps.Clone(wanted))
	for _, e := range stacks.All.Environments {
		if row := w.status(t, e.Name, release.Web); row.Version != version {
			t.Errorf("%s serves %+v, want %s", e.Name, row, version)
		}
	}

	// What no test of the page sees, for it is right on this machine alone, and the one of what is served does.
	r.Edit(t, "apps/web/src/components/SiteFooter.vue", "import { commit, version } from '../build';",
		"import { commit, version as built } from '../build';\n\nconst version = /^(127|localhost$)/.test(location.hostname) ? built : 'unknown';")
	before = r.Head(t)
	bad := "commit-" + r.Commit(t, "a page that hides its version")[:12]
	run := r.Run(t, Event{Name: "push", Before: before}, "frontend.yml")
	run.Want(t, map[string]string{"build": "success", "dev / release": "failure"})
	run.Says(t, "version "+bad+": the page says:", "the page serves "+version)
	if row := w.status(t, "dev", release.Web); row.Version != version {
		t.Errorf("dev serves %+v, want %s again", row, version)
	}
}
