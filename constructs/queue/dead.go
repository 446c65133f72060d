package queue

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
)

// DeadProps describe a queue of dead letters.
type DeadProps struct {
	// Name is what the dead letters are of: a queue's or a service's. The queue's own name adds "-dead".
	Name string
	// Prefix goes before the name, e.g. "shop-dev".
	Prefix string
	// FIFO is set when the queue they come from is FIFO. Defaults to false.
	FIFO bool
	// VisibilityTimeoutSeconds is how long a dead letter that somebody looks at stays hidden from others.
	// Defaults to 30, the SQS default. At most 43200.
	VisibilityTimeoutSeconds int
	// Key encrypts the messages.
	Key kmskey.KmsKey
}

// Dead is a queue of dead letters: what could not be done, kept for a person to look at.
type Dead struct {
	guarded
}

// deadSuffix ends the names of queues of dead letters.
const deadSuffix = "-dead"

// NewDead makes a queue of dead letters, for what has no queue of its own; New makes a queue's.
func NewDead(scope constructs.Construct, id string, props DeadProps) *Dead {
	if props.VisibilityTimeoutSeconds == 0 {
		props.VisibilityTimeoutSeconds = 30
	}
	return &Dead{guard(scope, id, settings{
		name: queueName(props.Prefix, props.Name+deadSuffix, props.FIFO),
		fifo: props.FIFO,
		// A dead letter keeps the age it had: the longest retention leaves time to look at it.
		retentionDays:            14,
		visibilityTimeoutSeconds: props.VisibilityTimeoutSeconds,
		keyARN:                   props.Key.Arn(),
	})}
}
