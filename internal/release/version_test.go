package release

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
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
