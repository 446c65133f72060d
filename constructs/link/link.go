// Package link is the security model: what a service gets from using something.
//
//	queue.Send() \
//	database.Write() > Link -> service.Props.Links -> task role, security-group rules, environment variables
//	service.Call() /
//
// Whatever can be used says here what using it takes. Nobody writes a policy by hand, so nobody writes a wide one.
package link

import (
	"strings"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/monitoring"
)

// Link is the use of one thing by one service.
type Link struct {
	// Name tells the links of a service apart, e.g. "sends-order-placed".
	Name string
	// Statements are added to the service's task role.
	Statements []iam.Statement
	// Environment is added to the container's environment variables.
	Environment map[string]string
	// Peer is what the service opens connections to. Defaults to none: AWS's APIs are reached by the VPC endpoints.
	Peer *Peer
	// Alarms are what is worth watching because of this use. Defaults to none.
	Alarms []monitoring.Alarm
	// ByName is set when the peer is reached by its Service Connect name.
	ByName bool
}

// Peer is one end of a connection.
type Peer struct {
	// Name is the peer's, for the rules' descriptions.
	Name            string
	SecurityGroupID *string
	Port            int
}

// Variable names an environment variable: the kind of thing, its name and what of it, e.g. QUEUE_ORDER_PLACED_URL.
func Variable(kind, name, what string) string {
	return strings.ToUpper(strings.ReplaceAll(kind+"_"+name+"_"+what, "-", "_"))
}
