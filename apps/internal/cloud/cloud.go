// Package cloud configures the AWS SDK, in one place for all services.
package cloud

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Load is the SDK's configuration: region, credentials and endpoint come from the SDK's own variables. Nothing is asked over
// the network yet. A call is tried three times within the context's time; a connection takes 2 s at most, the head of an answer
// 25 s, which is longer than SQS waits for messages.
func Load(ctx context.Context) (aws.Config, error) {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 2 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = 3 * time.Second
			t.ResponseHeaderTimeout = 25 * time.Second
		})
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 2 * time.Second })
		}),
		config.WithLogger(logging.Nop{}), // it writes lines that are no JSON; what matters is an error
		config.WithAPIOptions([]func(*middleware.Stack) error{hideWriteTo}),
	)
	if err != nil {
		return aws.Config{}, fmt.Errorf("configuring the AWS SDK: %w", err)
	}
	return cfg, nil
}

// hideWriteTo keeps an answer that comes very soon from getting lost.
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
