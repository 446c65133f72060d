package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Image is what a version is: the image that a tag names at this moment, by digest.
type Image struct {
	// Version is the best name of the image: a release's, else a commit's, else latest.
	Version string
	Commit  string
	// Reference is the image by digest, as a task definition takes it.
	Reference string
	// Committed is when the image's commit was made. Zero if the image does not say.
	Committed time.Time
}

// is refuses an image that is not the one of a digest, unless that is empty: a tag may have been moved since somebody looked.
func (i Image) is(wanted string) error {
	if found := digest(i.Reference); wanted != "" && found != wanted {
		return Refused("%s is %s by now, and %s is what was to be released: its tag was moved\nrelease that image by a tag of its own",
			i.Version, found, wanted)
	}
	return nil
}

var (
	releaseTag = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$`)
	commitTag  = regexp.MustCompile(`^commit-([0-9a-f]{7,40})$`)
)

const latest = "latest"

// checkVersion refuses what is no version.
func checkVersion(version string) error {
	if version == latest || releaseTag.MatchString(version) || commitTag.MatchString(version) {
		return nil
	}
	return Refused("%q is no version: write vX.Y.Z, commit-<hash> with 7 digits or more, or latest", version)
}

// describe names an image by its tags. asked is the tag it was found by.
func describe(asked string, tags []string) (version, commit string) {
	var releases, commits []string
	for _, tag := range tags {
		switch {
		case releaseTag.MatchString(tag):
			releases = append(releases, tag)
		case commitTag.MatchString(tag):
			commits = append(commits, tag)
		}
	}
	slices.SortFunc(releases, compareReleases)
	slices.Sort(commits)
	if len(commits) > 0 {
		commit = strings.TrimPrefix(commits[0], "commit-")
	}
	switch {
	case slices.Contains(releases, asked):
		version = asked
	case len(releases) > 0:
		version = releases[len(releases)-1]
	case len(commits) > 0:
		version = commits[0]
	default:
		version = latest
	}
	return version, commit
}

// compareReleases orders v1.9.0 before v1.10.0-rc.1, and that before v1.10.0.
func compareReleases(a, b string) int {
	x, y := releaseTag.FindStringSubmatch(a), releaseTag.FindStringSubmatch(b)
	for i := 1; i <= 3; i++ {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m - n
		}
	}
	switch {
	case x[4] == y[4]:
		return 0
	case x[4] == "":
		return 1
	case y[4] == "":
		return -1
	}
	return strings.Compare(x[4], y[4])
}

// match finds the one image that a commit's first digits name.
func match(version string, images []ecrtypes.ImageDetail) (ecrtypes.ImageDetail, error) {
	found := map[string]ecrtypes.ImageDetail{}
	var tags []string
	for _, image := range images {
		for _, tag := range image.ImageTags {
			if strings.HasPrefix(tag, version) {
				found[aws.ToString(image.ImageDigest)] = image
				tags = append(tags, tag)
			}
		}
	}
	if len(found) > 1 {
		slices.Sort(tags)
		return ecrtypes.ImageDetail{}, Refused("%s is more than one image: write more of %s", version, strings.Join(tags, ", "))
	}
	for _, image := range found {
		return image, nil
	}
	return ecrtypes.ImageDetail{}, errUnknownVersion
}

var errUnknownVersion = errors.New("no image has this tag")

// repository is a service's images.
type repository struct {
	ecr *ecr.Client
	// account holds the registry; name is the repository's, address where images are pulled from.
	account, name, address string
}

// resolve asks the registry once what a version is: from here on it is a digest, whatever becomes of the tag.
func (r repository) resolve(ctx context.Context, version string) (Image, error) {
	if err := checkVersion(version); err != nil {
		return Image{}, err
	}
	detail, err := r.find(ctx, ecrtypes.ImageIdentifier{ImageTag: &version})
	if errors.Is(err, errUnknownVersion) && strings.HasPrefix(version, "commit-") {
		detail, err = r.search(ctx, version)
	}
	if errors.Is(err, errUnknownVersion) {
		return Image{}, Refused("repository %s has no image %s: %s", r.name, version, r.newest(ctx))
	}
	if err != nil {
		return Image{}, err
	}
	return r.image(ctx, version, detail), nil
}

// holds tells whether the registry still has an image of the ledger.
func (r repository) holds(ctx context.Context, reference string) error {
	_, err := r.find(ctx, ecrtypes.ImageIdentifier{ImageDigest: aws.String(digest(reference))})
	if errors.Is(err, errUnknownVersion) {
		return Refused("the registry does not have image %s any more: it has expired there", reference)
	}
	return err
}

func (r repository) find(ctx context.Context, id ecrtypes.ImageIdentifier) (ecrtypes.ImageDetail, error) {
	found, err := r.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: &r.account, RepositoryName: &r.name, ImageIds: []ecrtypes.ImageIdentifier{id},
	})
	switch {
	case isA[*ecrtypes.ImageNotFoundException](err), err == nil && len(found.ImageDetails) == 0:
		return ecrtypes.ImageDetail{}, errUnknownVersion
	case isA[*ecrtypes.RepositoryNotFoundException](err):
		return ecrtypes.ImageDetail{}, Refused("account %s has no repository %s: make deploy ENV=shared", r.account, r.name)
	case err != nil:
		return ecrtypes.ImageDetail{}, fmt.Errorf("repository %s: %w", r.name, err)
	}
	return found.ImageDetails[0], nil
}

func (r repository) tagged(ctx context.Context) ([]ecrtypes.ImageDetail, error) {
	var all []ecrtypes.ImageDetail
	pages := ecr.NewDescribeImagesPaginator(r.ecr, &ecr.DescribeImagesInput{
		RegistryId: &r.account, RepositoryName: &r.name,
		Filter: &ecrtypes.DescribeImagesFilter{TagStatus: ecrtypes.TagStatusTagged},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("repository %s: %w", r.name, err)
		}
		all = append(all, page.ImageDetails...)
	}
	return all, nil
}

func (r repository) search(ctx context.Context, version string) (ecrtypes.ImageDetail, error) {
	images, err := r.tagged(ctx)
	if err != nil {
		return ecrtypes.ImageDetail{}, err
	}
	return match(version, images)
}

// newest says which versions there are, for somebody who asked for another.
func (r repository) newest(ctx context.Context) string {
	images, err := r.tagged(ctx)
	if err != nil || len(images) == 0 {
		return "it has none that is tagged; push one first"
	}
	slices.SortFunc(images, func(a, b ecrtypes.ImageDetail) int {
		return aws.ToTime(b.ImagePushedAt).Compare(aws.ToTime(a.ImagePushedAt))
	})
	var names []string
	for _, image := range images[:min(len(images), 5)] {
		version, _ := describe("", image.ImageTags)
		names = append(names, version)
	}
	return "the newest are " + strings.Join(names, ", ")
}

func (r repository) image(ctx context.Context, asked string, detail ecrtypes.ImageDetail) Image {
	image := Image{Reference: r.address + "@" + aws.ToString(detail.ImageDigest)}
	image.Version, image.Commit = describe(asked, detail.ImageTags)
	// What the image says of itself is worth having, and not worth failing for.
	labels, err := r.labels(ctx, detail)
	if err != nil {
		return image
	}
	if image.Commit == "" {
		image.Commit = labels["org.opencontainers.image.revision"]
	}
	image.Committed, _ = time.Parse(time.RFC3339, labels["org.opencontainers.image.created"])
	return image
}

// labels are the image's, from its configuration.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
func (r repository) labels(ctx context.Context, detail ecrtypes.ImageDetail) (map[string]string, error) {
	got, err := r.ecr.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId: &r.account, RepositoryName: &r.name, ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: detail.ImageDigest}},
	})
	if err != nil || len(got.Images) == 0 {
		return nil, errors.Join(err, errUnknownVersion)
	}
	var manifest struct {
		Config struct {
			Digest string `json:"digest"`
		} `json:"config"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(got.Images[0].ImageManifest)), &manifest); err != nil {
		return nil, err
	}
	at, err := r.ecr.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId: &r.account, RepositoryName: &r.name, LayerDigest: &manifest.Config.Digest,
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, aws.ToString(at.DownloadUrl), nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var configuration struct {
		Config struct {
			Labels map[string]string
		} `json:"config"`
	}
	err = json.NewDecoder(response.Body).Decode(&configuration)
	return configuration.Config.Labels, err
}
