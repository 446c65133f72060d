package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"aws-microservices/constructs/frontend"
)

const (
	releasesPrefix = "releases/"
	assetsPrefix   = "assets/"
	indexFile      = "index.html"

	// keepReleases is how many releases of the page stay to roll back to, beside the one that is served.
	keepReleases = 20
	// deleteAtOnce is how many objects S3 deletes with one request.
	deleteAtOnce = 1000

	// What an object's metadata says: the release that index.html belongs to, and what all files of the release are.
	metaRelease, metaContent = "release", "content"
)

// The headers of files whose names hold a hash of their content, and of all others. CloudFront keeps the others for a second, the
// least its policy allows; browsers ask each time.
const (
	cachedForEver = "public, max-age=31536000, immutable"
	cachedNever   = "no-cache"
)

// Site is the page of one environment:
//
//	a build -> releases/<version>/, whole and never changed
//	        -> /assets, where those of all releases are, and the other files of the root
//	        -> ledger -> /index.html -> invalidation -> releases that are too old are deleted
//
// Until the one object index.html is replaced, viewers get the release before; a page that is open finds its own assets afterwards
// too. Every step may be done again, so a second run after an interruption ends what the first began.
type Site struct {
	name, bucket string
	ledger       ledger
	s3           *s3.Client
	cloudfront   *cloudfront.Client
	say          func(format string, args ...any)
}

// NewSite is the page of an environment, whose account cfg is logged in to.
func NewSite(cfg aws.Config, platform, environment, account string, say func(format string, args ...any)) *Site {
	name := platform + "-" + environment
	return &Site{
		name: name, bucket: name + "-web-" + account,
		ledger: ledger{name: fmt.Sprintf("/%s/%s/%s/release", platform, environment, Web), ssm: ssm.NewFromConfig(cfg)},
		s3:     s3.NewFromConfig(cfg), cloudfront: cloudfront.NewFromConfig(cfg), say: say,
	}
}

// History is what the page served, oldest first.
func (s *Site) History(ctx context.Context) ([]Entry, error) {
	history, err := s.ledger.history(ctx)
	return slices.DeleteFunc(history, func(e Entry) bool { return e.Value == frontend.Unreleased }), err
}

// Current is what the page serves. Its value is empty before the first release; its note tells where index.html is of another.
func (s *Site) Current(ctx context.Context) (Entry, error) {
	history, err := s.History(ctx)
	if err != nil {
		return Entry{}, err
	}
	current := last(history)
	index, err := s.head(ctx, indexFile)
	if err != nil {
		return Entry{}, err
	}
	if served := index[metaRelease]; served != current.Value {
		current.Note = fmt.Sprintf("the site serves %s", cmp.Or(served, "nothing"))
	}
	return current, nil
}

// Deploy makes the page serve a version, whose build is in a folder. A version that was uploaded before needs no folder.
func (s *Site) Deploy(ctx context.Context, version, commit, folder string) error {
	if err := checkSiteVersion(version); err != nil {
		return err
	}
	if known := commitTag.FindStringSubmatch(version); commit == "" && known != nil {
		commit = known[1]
	}
	if err := s.upload(ctx, version, folder); err != nil {
		return err
	}
	return s.serve(ctx, Label{Version: version, Commit: commit})
}

// Rollback makes the page serve an earlier version again: the named one, or the one before.
func (s *Site) Rollback(ctx context.Context, version string) error {
	history, err := s.History(ctx)
	if err != nil {
		return err
	}
	if len(history) == 0 {
		return Refused("the page has no release yet: nothing to roll back")
	}
	if version == "" {
		before, found := previous(history)
		if !found {
			return Refused("the page has no release before %s", last(history).Value)
		}
		version = before.Value
	}
	if err := checkSiteVersion(version); err != nil {
		return err
	}
	content, err := s.head(ctx, releasesPrefix+version+"/"+indexFile)
	if err != nil {
		return err
	}
	if content == nil {
		return Refused("release %s of the page is not there: it was never made, or is so old that it was deleted", version)
	}
	current := last(history)
	label := Label{Version: version, Commit: labelled(history, version).Commit}
	if current.Value != version {
		label.RolledBack, label.Note = current.Value, current.Value+" was rolled back"
	}
	return s.serve(ctx, label)
}

func checkSiteVersion(version string) error {
	if version == latest {
		return Refused("the page has no version %q: write vX.Y.Z or commit-<hash>", version)
	}
	return checkVersion(version)
}

// upload puts a build where no release is changed any more, index.html last: where it is, the release is whole.
func (s *Site) upload(ctx context.Context, version, folder string) error {
	prefix := releasesPrefix + version + "/"
	there, err := s.head(ctx, prefix+indexFile)
	if err != nil {
		return err
	}
	files, err := read(folder)
	if err != nil {
		return err
	}
	content := contentOf(files)
	switch {
	case files == nil && there == nil:
		return Refused("there is no build of the page in %s: make page", folder)
	case files == nil || there[metaContent] == content:
		s.say("release %s of the page is uploaded already", version)
		return nil
	case there != nil:
		return Refused("release %s of the page is another build than the one in %s, and a release is never changed: use a new version", version, folder)
	}
	for _, name := range indexLast(maps.Keys(files)) {
		_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: aws.String(prefix + name), Body: bytes.NewReader(files[name]),
			ContentType:  aws.String(cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")),
			CacheControl: aws.String(cacheControl(name)),
			Metadata:     map[string]string{metaRelease: version, metaContent: content},
		})
		if err != nil {
			return s.interrupted(ctx, fmt.Errorf("upload %s: %w", name, err))
		}
	}
	s.say("release %s of the page: %d files uploaded", version, len(files))
	return nil
}

// serve switches to a release that is there.
func (s *Site) serve(ctx context.Context, label Label) error {
	start := time.Now()
	version := label.Version
	history, err := s.ledger.history(ctx)
	if err != nil {
		return s.interrupted(ctx, err)
	}
	names, err := s.list(ctx, releasesPrefix+version+"/")
	if err != nil {
		return s.interrupted(ctx, err)
	}
	assets, err := s.list(ctx, assetsPrefix)
	if err != nil {
		return s.interrupted(ctx, err)
	}
	for _, name := range indexLast(maps.Keys(names)) {
		if _, there := assets[strings.TrimPrefix(name, assetsPrefix)]; there && strings.HasPrefix(name, assetsPrefix) {
			continue // its name is its content
		}
		if name == indexFile && last(history).Value != version {
			if _, err := s.ledger.write(ctx, version, label); err != nil {
				return s.interrupted(ctx, err)
			}
		}
		_, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: &s.bucket, Key: &name, CopySource: aws.String((&url.URL{Path: s.bucket + "/" + releasesPrefix + version + "/" + name}).EscapedPath()),
		})
		if err != nil {
			return s.interrupted(ctx, fmt.Errorf("copy %s: %w", name, err))
		}
	}
	if err := s.invalidate(ctx, names); err != nil {
		return s.interrupted(ctx, err)
	}
	s.say("the page serves %s, %.1f s after the switch began", version, time.Since(start).Seconds())
	if err := s.expire(ctx, version, names); err != nil {
		s.say("warning: old releases of the page were not deleted: %v", err)
	}
	return nil
}

// interrupted says how to go on where waiting ended rather than failed.
func (s *Site) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Unfinished("%w\nrun it again to carry on", context.Cause(ctx))
	}
	return fmt.Errorf("%w\nrun it again to carry on", err)
}

// invalidate makes CloudFront forget what has another content now and the same name, and waits until it has.
func (s *Site) invalidate(ctx context.Context, names map[string]time.Time) error {
	id, err := s.distribution(ctx)
	if err != nil {
		return err
	}
	paths := []string{"/"}
	for name := range names {
		if !strings.HasPrefix(name, assetsPrefix) {
			paths = append(paths, (&url.URL{Path: "/" + name}).EscapedPath())
		}
	}
	slices.Sort(paths)
	made, err := s.cloudfront.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &id,
		InvalidationBatch: &cftypes.InvalidationBatch{
			CallerReference: aws.String(fmt.Sprint(time.Now().UnixNano())),
			Paths:           &cftypes.Paths{Items: paths, Quantity: aws.Int32(int32(len(paths)))},
		},
	})
	if err != nil {
		return fmt.Errorf("invalidation: %w", err)
	}
	const longest = 15 * time.Minute
	waiter := cloudfront.NewInvalidationCompletedWaiter(s.cloudfront, func(o *cloudfront.InvalidationCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, 5*time.Second
	})
	return waiter.Wait(ctx, &cloudfront.GetInvalidationInput{DistributionId: &id, Id: made.Invalidation.Id}, longest)
}

// distribution finds the environment's by its comment, which Terraform sets to its name.
func (s *Site) distribution(ctx context.Context) (string, error) {
	pages := cloudfront.NewListDistributionsPaginator(s.cloudfront, &cloudfront.ListDistributionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("distributions: %w", err)
		}
		for _, d := range page.DistributionList.Items {
			if aws.ToString(d.Comment) == s.name {
				return *d.Id, nil
			}
		}
	}
	return "", Refused("there is no distribution %s: Terraform makes it, make deploy", s.name)
}

// expire deletes the oldest releases, the assets that no release has any more, and what the root has of releases before.
func (s *Site) expire(ctx context.Context, current string, names map[string]time.Time) error {
	all, err := s.list(ctx, "")
	if err != nil {
		return err
	}
	uploaded := map[string]time.Time{} // by version
	for name, at := range all {
		if version, file, _ := strings.Cut(strings.TrimPrefix(name, releasesPrefix), "/"); strings.HasPrefix(name, releasesPrefix) && file == indexFile {
			uploaded[version] = at
		}
	}
	keys := expired(slices.Collect(maps.Keys(all)), uploaded, current)
	for name := range all {
		if _, ours := names[name]; !ours && !strings.HasPrefix(name, assetsPrefix) && !strings.HasPrefix(name, releasesPrefix) {
			keys = append(keys, name)
		}
	}
	for batch := range slices.Chunk(keys, deleteAtOnce) {
		var objects []s3types.ObjectIdentifier
		for _, key := range batch {
			objects = append(objects, s3types.ObjectIdentifier{Key: aws.String(key)})
		}
		done, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.bucket, Delete: &s3types.Delete{Objects: objects}})
		if err != nil {
			return err
		}
		for _, failure := range done.Errors {
			return fmt.Errorf("%s: %s", aws.ToString(failure.Key), aws.ToString(failure.Message))
		}
	}
	return nil
}

// expired are the objects of releases that are neither the current one nor among the newest others, and the assets that none of
// the rest has. A release that is being uploaded has no index.html yet, and stays.
func expired(names []string, uploaded map[string]time.Time, current string) []string {
	versions := slices.SortedFunc(maps.Keys(uploaded), func(a, b string) int { return uploaded[b].Compare(uploaded[a]) })
	versions = slices.DeleteFunc(versions, func(version string) bool { return version == current })
	old := map[string]bool{}
	for _, version := range versions[min(len(versions), keepReleases):] {
		old[version] = true
	}
	var gone []string
	used := map[string]bool{}
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, releasesPrefix); ok {
			version, file, _ := strings.Cut(rest, "/")
			if old[version] {
				gone = append(gone, name)
			} else {
				used[file] = true
			}
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, assetsPrefix) && !used[name] {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return gone
}

// list is the objects below a prefix, without it, with the time they were made.
func (s *Site) list(ctx context.Context, prefix string) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	pages := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("bucket %s: %w", s.bucket, err)
		}
		for _, object := range page.Contents {
			found[strings.TrimPrefix(*object.Key, prefix)] = aws.ToTime(object.LastModified)
		}
	}
	return found, nil
}

// head is an object's metadata, nil where it does not exist.
func (s *Site) head(ctx context.Context, key string) (map[string]string, error) {
	found, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if isA[*s3types.NotFound](err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", s.bucket, err)
	}
	if found.Metadata == nil {
		return map[string]string{}, nil
	}
	return found.Metadata, nil
}

// read is the files of a build by their names, nil where there is none.
func read(folder string) (map[string][]byte, error) {
	if _, err := os.Stat(filepath.Join(folder, indexFile)); folder == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	files := map[string][]byte{}
	return files, filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err == nil {
			files[filepath.ToSlash(name)], err = os.ReadFile(file)
		}
		return err
	})
}

// contentOf is the same for two builds only if all of their files are.
func contentOf(files map[string][]byte) string {
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(all, "%s %x\n", name, sha256.Sum256(files[name]))
	}
	return fmt.Sprintf("%x", all.Sum(nil))
}

func cacheControl(name string) string {
	if strings.HasPrefix(name, assetsPrefix) {
		return cachedForEver
	}
	return cachedNever
}

// indexLast orders files so that what index.html names comes before it.
func indexLast(names func(yield func(string) bool)) []string {
	return slices.SortedFunc(names, func(a, b string) int {
		if (a == indexFile) != (b == indexFile) {
			if a == indexFile {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
}
