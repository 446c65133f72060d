// Package stacks says what runs, how each environment runs it, and builds the Terraform stacks of both.
//
//	platform.go                      WHAT we run
//	dev.go  staging.go  prod.go      HOW each environment runs it
//	        |
//	Config.Validate (pure Go)        every mistake at once
//	        |
//	bootstrap.go  shared.go  environment.go -> one stack each
package stacks

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/service"
)

// Config is everything: the platform, what its environments share, and the environments.
type Config struct {
	Platform     Platform
	Shared       Shared
	Environments []Environment
}

// Platform is what runs, the same in every environment.
type Platform struct {
	// Name begins every name that has to be told from other platforms'. Lower-case letters, digits and dashes.
	Name      string
	Databases []Database
	Queues    []Queue
	Services  []Service
}

// Service is one deployable unit: a container image, what starts it and what it uses.
type Service struct {
	// Name is the service's, its repository's, its log group's. Lower-case letters, digits and dashes.
	Name string
	// Kind says what starts its work: service.Web, service.Internal, service.Worker or service.Job.
	Kind service.Kind
	// Path is what a Web service answers under, itself and everything below it, e.g. "/api/orders".
	Path string
	// Schedule is when a Job runs, in UTC: "rate(1 hour)" or "cron(0 2 * * ? *)".
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	Schedule string

	// The links: what the service uses. Each gives it the permissions, the connections and the environment variables it
	// takes, and nothing else does.

	// Uses are the databases it reads and writes. Gives DATABASE_<NAME>_HOST, _PORT, _NAME and _USER.
	Uses []string
	// SendsTo are the queues it sends to. Gives QUEUE_<NAME>_URL.
	SendsTo []string
	// Consumes is the queue a Worker receives from. Gives QUEUE_<NAME>_URL.
	Consumes string
	// Calls are the services, Internal ones, it sends requests to. Gives SERVICE_<NAME>_URL.
	Calls []string
	// Internet lets it open TLS connections to any address, by NAT. Defaults to false.
	Internet bool
}

// Queue is an SQS queue with a dead-letter queue.
type Queue struct {
	// Name of the queue. Lower-case letters, digits and dashes.
	Name string
	// VisibilityTimeoutSeconds is how long working on a message may take.
	// Defaults to 30, the SQS default. At most 43200.
	VisibilityTimeoutSeconds int
	// RetentionDays is how long a message waits to be consumed.
	// Defaults to 4, the SQS default. At most 14.
	RetentionDays int
	// MaxReceives is how often a message is tried before it is a dead letter.
	// Defaults to 5. At most 1000.
	MaxReceives int
}

// Database is a PostgreSQL database.
type Database struct {
	// Name of the database. Lower-case letters, digits and dashes.
	Name string
	// MajorVersion is PostgreSQL's, e.g. 17.
	MajorVersion int
}

// Shared is the account that outlives the environments: it holds Terraform's state and the images.
type Shared struct {
	// AccountID is the twelve-digit account; whoever runs Terraform logs in to it.
	AccountID string
	// Region is where the state and the images are.
	Region string
}

// Environment is how one environment runs the platform.
type Environment struct {
	// Name of the environment and of its stack. Lower-case letters, digits and dashes.
	Name string
	// AccountID is the environment's own account: Terraform refuses to touch any other.
	AccountID string
	// Region is where the environment runs.
	Region string
	// Production holds the environment to what customers rely on: protection against deletion, two zones or more, a
	// standby database, a year of logs, two tasks of each service. Defaults to false.
	Production bool
	Network    Network
	// Capacity is the kind of Fargate the services run on. Defaults to on demand.
	Capacity cluster.Capacity
	// Size is every service's, unless Sizes has another.
	Size Size
	// Sizes are those of single services, by name. Defaults to none.
	Sizes map[string]Size
	// Database is every database's size.
	Database DatabaseSize
	// Domain is the name viewers use. Defaults to the one CloudFront gives.
	Domain *Domain
	// DeletionProtection makes AWS and Terraform refuse to delete what holds data. Defaults to false.
	DeletionProtection bool
	// LogRetentionDays is how long logs are kept: a value that CloudWatch Logs knows.
	LogRetentionDays int
	// AlarmEmails receive the alarms once their owners have confirmed. Defaults to none.
	AlarmEmails []string
}

// Network is an environment's VPC.
type Network struct {
	// CIDR is the private range, between /16 and /20, that no other environment's overlaps.
	CIDR string
	// Zones are the Availability Zones, e.g. "eu-west-1a". The database needs two.
	Zones []string
	// NAT is how tasks reach the internet: network.NATNone, NATSingle or NATPerZone. Defaults to NATNone.
	NAT network.NAT
}

// Size is how much of a service runs.
type Size struct {
	// CPU in units of 1/1024 vCPU, and memory: a pair that Fargate offers.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
	CPU, MemoryMiB int
	// MinTasks and MaxTasks bound the number of tasks. A Job needs none.
	MinTasks, MaxTasks int
}

// DatabaseSize is how a database is run.
type DatabaseSize struct {
	// InstanceClass is the size, e.g. "db.t4g.micro".
	InstanceClass string
	// StorageGiB is the first size of the storage, at least 20; MaxStorageGiB is how far it grows by itself.
	StorageGiB, MaxStorageGiB int
	// MultiAZ keeps a standby in a second zone. Defaults to false.
	MultiAZ bool
	// BackupRetentionDays is how far back point-in-time recovery reaches, 1 to 35.
	BackupRetentionDays int
}

// Domain is the name viewers use, with a certificate for each place TLS ends.
type Domain struct {
	// Name is the host, e.g. "shop.example.com".
	Name string
	// CertificateARN is the ACM certificate in the environment's region, for the load balancer.
	CertificateARN string
	// CloudFrontCertificateARN is the one in us-east-1, the only region CloudFront takes certificates from.
	CloudFrontCertificateARN string
}

// size returns a service's size in the environment.
func (e Environment) size(service string) Size {
	if s, ok := e.Sizes[service]; ok {
		return s
	}
	return e.Size
}

// prefix begins the names of an environment's resources.
func (e Environment) prefix(p Platform) string {
	return p.Name + "-" + e.Name
}
