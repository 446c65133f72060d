package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func TestVersions(t *testing.T) {
	for version, good := range map[string]bool{
		"v1.2.3": true, "v10.0.0-rc.1": true, "commit-9ab01cd": true, "commit-" + strings.Repeat("a", 40): true, "latest": true,
		"1.2.3": false, "v1.2": false, "commit-9ab01": false, "commit-XYZ0000": false, "": false, "main": false, "v1.2.3 ": false,
	} {
		if err := checkVersion(version); (err == nil) != good || err != nil && ExitCode(err) != ExitRefused {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestImagesAreNamedByTheBestOfTheirTags(t *testing.T) {
	for _, test := range []struct {
		asked, tags, version, commit string
	}{
		{"latest", "latest commit-9ab01cd v1.2.3", "v1.2.3", "9ab01cd"},
		{"latest", "latest commit-9ab01cd", "commit-9ab01cd", "9ab01cd"},
		{"latest", "latest", "latest", ""},
		{"v1.9.0", "v1.9.0 v1.10.0", "v1.9.0", ""},
		{"latest", "v1.9.0 latest v1.10.0", "v1.10.0", ""},
		{"latest", "v1.10.0 latest v1.10.0-rc.1", "v1.10.0", ""},
		{"commit-9ab01cd", "commit-9ab01cd v2.0.0", "v2.0.0", "9ab01cd"},
	} {
		version, commit := describe(test.asked, strings.Fields(test.tags))
		if version != test.version || commit != test.commit {
			t.Errorf("%s of %s: %s and %s, want %s and %s", test.asked, test.tags, version, commit, test.version, test.commit)
		}
	}
}

func TestReleasesAreOrdered(t *testing.T) {
	want := []string{"v0.9.9", "v1.0.0-alpha", "v1.0.0-rc.1", "v1.0.0", "v1.2.0", "v1.10.0", "v2.0.0"}
	got := slices.Clone(want)
	slices.Reverse(got)
	if slices.SortFunc(got, compareReleases); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestACommitIsFoundByItsFirstDigits(t *testing.T) {
	detail := func(digest, tags string) ecrtypes.ImageDetail {
		return ecrtypes.ImageDetail{ImageDigest: aws.String(digest), ImageTags: strings.Fields(tags)}
	}
	images := []ecrtypes.ImageDetail{
		detail("sha256:1", "commit-9ab01cd1111 v1.0.0"), detail("sha256:2", "commit-9ab01cd2222 latest"), detail("sha256:3", "commit-0000000aaaa"),
	}
	if got, err := match("commit-0000000", images); err != nil || *got.ImageDigest != "sha256:3" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := match("commit-9ab01cd", images); ExitCode(err) != ExitRefused ||
		!strings.Contains(err.Error(), "more than one image: write more of commit-9ab01cd1111, commit-9ab01cd2222") {
		t.Errorf("%v", err)
	}
	if _, err := match("commit-fffffff", images); !errors.Is(err, errUnknownVersion) {
		t.Errorf("%v", err)
	}
}

func TestAnImageThatIsNotTheOneThatIsMeantIsRefused(t *testing.T) {
	i := Image{Version: "v1.0.0", Reference: repositoryAddress + "@sha256:2"}
	for _, meant := range []string{"", "sha256:2"} {
		if err := i.is(meant); err != nil {
			t.Errorf("%q: %v", meant, err)
		}
	}
	if err := i.is("sha256:1"); ExitCode(err) != ExitRefused || !strings.Contains(err.Error(), "v1.0.0 is sha256:2 by now, and sha256:1") {
		t.Errorf("%v", err)
	}
}

// registryOf is a registry with images by digest, the tags of each, and what an image says of itself.
func registryOf(t *testing.T, images map[string][]string, labels string) repository {
	t.Helper()
	var url string
	answer := map[string]func(ids []ecrtypes.ImageIdentifier) (int, string){
		"DescribeImages": func(ids []ecrtypes.ImageIdentifier) (int, string) {
			var details []string
			for digest, tags := range images {
				wanted := len(ids) == 0 || aws.ToString(ids[0].ImageDigest) == digest || slices.Contains(tags, aws.ToString(ids[0].ImageTag))
				if wanted {
					details = append(details, fmt.Sprintf(`{"imageDigest": %q, "imageTags": ["%s"]}`, digest, strings.Join(tags, `", "`)))
				}
			}
			if len(details) == 0 {
				return http.StatusBadRequest, `{"__type": "ImageNotFoundException", "message": "no such image"}`
			}
			return http.StatusOK, `{"imageDetails": [` + strings.Join(details, ", ") + `]}`
		},
		"BatchGetImage": func([]ecrtypes.ImageIdentifier) (int, string) {
			return http.StatusOK, `{"images": [{"imageManifest": "{\"config\": {\"digest\": \"sha256:c\"}}"}]}`
		},
		"GetDownloadUrlForLayer": func([]ecrtypes.ImageIdentifier) (int, string) {
			return http.StatusOK, fmt.Sprintf(`{"downloadUrl": "%s/blob", "layerDigest": "sha256:c"}`, url)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/blob" {
			fmt.Fprintf(w, `{"architecture": "amd64", "config": {"Labels": {%s}}}`, labels)
			return
		}
		var request struct {
			RegistryID string `json:"registryId"`
			ImageIDs   []ecrtypes.ImageIdentifier
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.RegistryID != "111122223333" {
			t.Errorf("asked registry %q: %v", request.RegistryID, err)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		status, body := answer[operation](request.ImageIDs)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	url = server.URL
	client := ecr.New(ecr.Options{
		Region: "eu-west-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("111122223333", "unused", ""),
	})
	return repository{ecr: client, account: "111122223333", name: "shop/orders", address: repositoryAddress}
}

func TestAVersionIsResolvedToADigest(t *testing.T) {
	r := registryOf(t, map[string][]string{
		"sha256:1": {"v1.0.0", "commit-1111111aaaa"}, "sha256:2": {"latest", "commit-2222222bbbb"}, "sha256:3": {"latest-but-one"},
	}, `"org.opencontainers.image.created": "2026-11-25T12:00:00+01:00", "org.opencontainers.image.revision": "3333333"`)
	for version, want := range map[string]Image{
		"v1.0.0":         {Version: "v1.0.0", Commit: "1111111aaaa", Reference: repositoryAddress + "@sha256:1"},
		"commit-1111111": {Version: "v1.0.0", Commit: "1111111aaaa", Reference: repositoryAddress + "@sha256:1"},
		"latest":         {Version: "commit-2222222bbbb", Commit: "2222222bbbb", Reference: repositoryAddress + "@sha256:2"},
	} {
		got, err := r.resolve(t.Context(), version)
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		if !got.Committed.Equal(time.Date(2026, 11, 25, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: committed %s, want what the label says", version, got.Committed)
		}
		if got.Committed = (time.Time{}); got != want {
			t.Errorf("%s is %+v, want %+v", version, got, want)
		}
	}
	for version, want := range map[string]string{
		"v9.9.9": "repository shop/orders has no image v9.9.9: the newest are ", "commit-9999999": "has no image commit-9999999", "main": "is no version",
	} {
		if _, err := r.resolve(t.Context(), version); ExitCode(err) != ExitRefused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", version, err, want)
		}
	}
	if err := r.holds(t.Context(), repositoryAddress+"@sha256:1"); err != nil {
		t.Error(err)
	}
	if err := r.holds(t.Context(), image("f")); ExitCode(err) != ExitRefused || !strings.Contains(err.Error(), "it has expired there") {
		t.Errorf("got %v", err)
	}
}

func TestAnImageThatSaysNothingOfItselfIsReleasedToo(t *testing.T) {
	r := registryOf(t, map[string][]string{"sha256:1": {"latest"}}, `"org.opencontainers.image.created": "yesterday"`)
	got, err := r.resolve(t.Context(), "latest")
	if want := (Image{Version: "latest", Reference: repositoryAddress + "@sha256:1"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
