// Package sdk configures the AWS SDK for the programs of this repository.
package sdk

import (
	"context"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Load returns the SDK's configuration for a region: what the SDK finds by itself, in environment variables and profiles,
// changed by options.
func Load(ctx context.Context, region string, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, slices.Concat([]func(*config.LoadOptions) error{
		config.WithRegion(region),
		config.WithLogger(logging.Nop{}), // it warns of connections that an interrupt closes; what matters is an error
		config.WithAPIOptions([]func(*middleware.Stack) error{hideWriteTo}),
	}, options)...)
}

// hideWriteTo keeps an answer that comes very soon, as the emulator's do, from getting lost.
//
// net/http looks for the end of a request's body once more when all of it is sent. By then the SDK may have the head of the
// answer and have closed the body, whose Read then says that it is at its end, as it should, but whose WriteTo fails. So
// net/http takes the sending for failed and closes the connection, with the rest of the answer still to be read. The SDK
// sends the request again, and AWS does twice what it was asked once. With a Read only, a body is read to its end.
// Seen with smithy-go 1.28.9: safeWriteToReadCloser in transport/http/internal/io/safe.go.
func hideWriteTo(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("HideWriteTo", func(
		ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler,
	) (middleware.BuildOutput, middleware.Metadata, error) {
		if request, ok := in.Request.(*smithyhttp.Request); ok {
			if body, ok := request.GetStream().(io.ReadSeeker); ok {
				hidden, err := request.SetStream(struct{ io.ReadSeeker }{body})
				if err != nil {
					return middleware.BuildOutput{}, middleware.Metadata{}, err
				}
				in.Request = hidden
			}
		}
		return next.HandleBuild(ctx, in)
	}), middleware.After)
}
