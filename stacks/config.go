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
	"aws-microservices/constructs/database"
	"aws-microservices/constructs/delivery"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/service"
	"aws-microservices/constructs/sleep"
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
	Name string
	// Architecture is the CPU that images are built for, unless a service says another: service.ARM64 or service.X86.
	Architecture service.Architecture
	Databases    []Database
	Queues       []Queue
	Topics       []Topic
	Buckets      []Bucket
	Secrets      []Secret
	Services     []Service
}

// Service is one deployable unit: a container image, what starts it and what it uses.
type Service struct {
	// Name is the service's, its repository's, its log group's. Lower-case letters, digits and dashes.
	Name string
	// Kind says what starts its work: service.Web, service.Internal, service.Worker, service.Job or service.Task.
	Kind service.Kind
	// Path is what a Web service answers under, itself and everything below it, e.g. "/api/orders". "/" is everything that
	// no other service answers: then there is no site on S3.
	Path string
	// Hosts are the only host names a Web service answers for, below the environments' Domain. Defaults to any, as in an
	// environment without a Domain.
	Hosts []string
	// Schedule is when a Job runs, in UTC: "rate(1 hour)" or "cron(0 2 * * ? *)".
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	Schedule string
	// Container says how the image is run. Defaults to an image that keeps the platform's conventions.
	Container service.Container
	// Requests say how a Web or Internal service answers. Defaults to what suits most.
	Requests service.Requests
	// Backlog is how fast a Worker must be: from it follows how many of its tasks run.
	Backlog service.Backlog

	// The links: what the service uses. Each gives it the permissions, the connections and the environment variables it
	// takes, and nothing else does.

	// Uses are the databases it reads and writes. Gives DATABASE_<NAME>_HOST, _PORT, _NAME and _USER.
	Uses []string
	// Reads are the databases it only reads, from a replica where the environment has one. Gives the same as Uses.
	Reads []string
	// Owns are the databases whose schema and roles a Task changes. Gives the same, _SECRET_ARN and _ROLES.
	Owns []string
	// SendsTo are the queues it sends to. Gives QUEUE_<NAME>_URL.
	SendsTo []string
	// Consumes is the queue a Worker receives from. Gives QUEUE_<NAME>_URL.
	Consumes string
	// Publishes are the topics it publishes to. Gives TOPIC_<NAME>_ARN.
	Publishes []string
	// Calls are the services, Internal or Web ones, it sends requests to. Gives SERVICE_<NAME>_URL, and for one that does
	// not speak HTTP SERVICE_<NAME>_ADDRESS.
	Calls []string
	// Secrets are those it reads. Gives SECRET_<NAME>_ARN.
	Secrets []string
	// ReadsFrom and WritesTo are buckets with the prefix of the objects' keys, e.g. "reports/daily/".
	// Each gives BUCKET_<NAME>_NAME and _PREFIX.
	ReadsFrom, WritesTo []string
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
	// FIFO keeps the messages of a group in order and delivers each once. Defaults to false: more throughput, any order.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fifo-queues.html
	FIFO bool
}

// Topic is an SNS topic: what is published to it reaches each of its queues.
type Topic struct {
	// Name of the topic. Lower-case letters, digits and dashes.
	Name string
	// Queues are those that get a copy. All are FIFO, and then the topic is, or none is.
	Queues []string
}

// Bucket is an S3 bucket for what services read and write.
type Bucket struct {
	// Name of the bucket. Lower-case letters, digits and dashes.
	Name string
	// ExpireDays is how long an object is kept. Defaults to 0, for ever.
	ExpireDays int
}

// Secret is a value in Secrets Manager.
type Secret struct {
	// Name of the secret. Lower-case letters, digits and dashes.
	Name string
	// RotateDays makes Secrets Manager invent the value, and another one after so many days: for keys and tokens that only
	// our own services know. Defaults to 0: a person puts the value in, e.g. somebody else's API key. At most 1000.
	RotateDays int
}

// Database is a PostgreSQL database.
type Database struct {
	// Name of the database. Lower-case letters, digits and dashes.
	Name string
	// MajorVersion is PostgreSQL's, e.g. 17.
	MajorVersion int
}

// Shared is the account that outlives the environments: it holds Terraform's state, the images and what pipelines log in as.
type Shared struct {
	// AccountID is the twelve-digit account; whoever runs Terraform logs in to it.
	AccountID string
	// Region is where the state and the images are.
	Region string
	// Repository is where the code is, on GitHub: its workflows become the pipelines' roles. Defaults to none: no pipelines.
	Repository *delivery.Repository
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
	// Capacity is what the services run on. Defaults to Fargate on demand.
	Capacity cluster.Capacity
	// Sleep is when nothing runs. Defaults to never.
	Sleep *sleep.Hours
	// Size is every service's, unless Sizes has another.
	Size Size
	// Sizes are those of single services, by name. Defaults to none.
	Sizes map[string]Size
	// Database is every database's size.
	Database DatabaseSize
	// Domain is the name viewers use. Defaults to the one CloudFront gives.
	Domain *Domain
	// Backup keeps copies of the databases apart from them. Defaults to none beside the databases' own.
	Backup *Backup
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
	// MinTasks and MaxTasks bound the number of tasks. A Job or a Task needs none.
	MinTasks, MaxTasks int
	// Scheduled are times at which other bounds begin to hold, e.g. for a sale. Defaults to none.
	Scheduled []service.Scheduled
}

// DatabaseSize is how a database is run: an instance, or with Serverless a cluster.
type DatabaseSize struct {
	// InstanceClass is the size, e.g. "db.t4g.micro".
	InstanceClass string
	// StorageGiB is the first size of the storage, at least 20; MaxStorageGiB is how far it grows by itself.
	StorageGiB, MaxStorageGiB int
	// Serverless makes it an Aurora cluster whose capacity follows the load; it needs no class and no storage size.
	// Defaults to none.
	Serverless *database.Serverless
	// MultiAZ keeps a standby in a second zone. Defaults to false.
	MultiAZ bool
	// Replicas are copies that services which only read are sent to. Defaults to 0. At most 15.
	Replicas int
	// Proxy keeps connections to the database open for the services, through a failover too. Defaults to false.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html
	Proxy bool
	// BackupRetentionDays is how far back point-in-time recovery reaches, 1 to 35.
	BackupRetentionDays int
}

// Backup is how AWS Backup keeps the databases, with a copy in another region.
type Backup struct {
	// RetentionDays is how long a daily backup is kept.
	RetentionDays int
	// CopyRegion is the other region, and CopyRetentionDays how long its copy is kept.
	CopyRegion        string
	CopyRetentionDays int
}

// Domain is the name viewers use. The environment makes its certificates and records.
type Domain struct {
	// Name is the host, e.g. "shop.example.com".
	Name string
	// Zone is the public Route 53 hosted zone it is in, e.g. "example.com": it exists, in the environment's account.
	Zone string
}

// SizeOf returns a service's size in the environment.
func (e Environment) SizeOf(service string) Size {
	if s, ok := e.Sizes[service]; ok {
		return s
	}
	return e.Size
}

// architecture returns the CPU that a service's image is built for.
func (pl Platform) architecture(s Service) service.Architecture {
	if s.Container.Architecture != "" {
		return s.Container.Architecture
	}
	return pl.Architecture
}

// prefix begins the names of an environment's resources.
func (e Environment) prefix(p Platform) string {
	return p.Name + "-" + e.Name
}
