package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"shop/internal/web"
)

const (
	// maxPicture is more than a drawing has.
	maxPicture = 1 << 20
	extension  = ".svg"
	// A new picture shows up within a minute.
	listingEvery, listingRetry = time.Minute, 5 * time.Second
)

// pictures are objects of a bucket, named after their products. Which there are is listed from time to time, so that a page of
// products does not ask for each.
type pictures struct {
	client         *s3.Client
	bucket, prefix string

	known atomic.Pointer[listing]
}

// listing is what was found last, and what went wrong since.
type listing struct {
	ids map[string]bool
	err error
}

func newPictures(client *s3.Client, bucket, prefix string) *pictures {
	p := &pictures{client: client, bucket: bucket, prefix: prefix}
	p.known.Store(&listing{err: errors.New("not listed yet")})
	return p
}

func (p *pictures) has(id string) bool { return p.known.Load().ids[id] }

func (p *pictures) check(context.Context) error { return p.known.Load().err }

// watch lists the pictures again and again. What is known stays known while they cannot be listed.
func (p *pictures) watch(ctx context.Context) error {
	for {
		wait := listingEvery
		ids, err := p.list(ctx)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the pictures cannot be listed", "error", err.Error())
			ids, wait = p.known.Load().ids, listingRetry
		}
		p.known.Store(&listing{ids, err})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (p *pictures) list(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ids := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(p.client, &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &p.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			if id, ok := strings.CutSuffix(strings.TrimPrefix(*object.Key, p.prefix), extension); ok {
				ids[id] = true
			}
		}
	}
	return ids, nil
}

func noPicture() error { return web.NotFound("There is no picture of this product.") }

// serve answers with a picture. It is read to its end before it is sent, so that a reader never takes a part for the whole.
func (p *pictures) serve(w http.ResponseWriter, r *http.Request, id string) error {
	if known := p.known.Load(); known.ids == nil {
		return web.Unavailable("the pictures", known.err)
	} else if !known.ids[id] {
		return noPicture()
	}
	key := p.prefix + id + extension
	input := &s3.GetObjectInput{Bucket: &p.bucket, Key: &key}
	has := etags(r.Header.Get("If-None-Match"))
	if len(has) == 1 {
		input.IfNoneMatch = &has[0]
	}
	object, err := p.client.GetObject(r.Context(), input)
	var missing *types.NoSuchKey
	var answered *smithyhttp.ResponseError
	switch {
	case errors.As(err, &missing):
		return noPicture()
	case errors.As(err, &answered) && answered.HTTPStatusCode() == http.StatusNotModified:
		pictureHeader(w.Header(), has[0])
		w.WriteHeader(http.StatusNotModified)
		return nil
	case err != nil:
		return fmt.Errorf("picture %s: %w", id, err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(io.LimitReader(object.Body, maxPicture+1))
	if err != nil {
		return fmt.Errorf("picture %s: %w", id, err)
	}
	if len(body) > maxPicture {
		return fmt.Errorf("picture %s has more than %d bytes", id, maxPicture)
	}
	pictureHeader(w.Header(), *object.ETag)
	for _, etag := range has {
		if etag == *object.ETag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err = io.Copy(w, bytes.NewReader(body))
	if err != nil {
		slog.InfoContext(r.Context(), "a picture was not read to its end", "error", err.Error())
	}
	return nil
}

func pictureHeader(header http.Header, etag string) {
	header.Set("ETag", etag)
	header.Set("Cache-Control", "public, max-age=3600")
	// A drawing can hold scripts: none runs when somebody opens it by its address.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
}

// etags are those of an If-None-Match, without the mark that CloudFront puts on them when it compresses.
func etags(header string) []string {
	var tags []string
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if len(tag) > 2 && len(tag) <= 100 && tag[0] == '"' && tag[len(tag)-1] == '"' {
			tags = append(tags, tag)
		}
	}
	return tags
}
