// Package service makes one ECS service of any kind.
//
//	                      image parameter (SSM)
//	                              |
//	links -> task role, rules -> task definition -> aws_ecs_service (Web, Internal, Worker), schedule (Job)
//	                              |
//	                      log group /ecs/<service>
package service

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchloggroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecstaskdefinition"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ssmparameter"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/queue"
	"aws-microservices/constructs/sleep"
	"aws-microservices/internal/finding"
)

// Kind says what starts a service's work.
type Kind string

const (
	// Web answers requests that come through the load balancer.
	Web Kind = "web"
	// Internal answers requests of other services, which reach it by its name.
	Internal Kind = "internal"
	// Worker consumes a queue.
	Worker Kind = "worker"
	// Job runs to its end on a schedule.
	Job Kind = "job"
	// Task runs to its end when somebody starts it, e.g. a database migration that a pipeline waits for.
	Task Kind = "task"
)

// Kinds are all of them.
var Kinds = []Kind{Web, Internal, Worker, Job, Task}

// Listens tells whether services of the kind answer requests.
func (k Kind) Listens() bool { return k == Web || k == Internal }

// LongRunning tells whether tasks of the kind run all the time, as an ECS service.
func (k Kind) LongRunning() bool { return k == Web || k == Internal || k == Worker }

// portName names the service's port for Service Connect.
const portName = "http"

// Props describe a service.
type Props struct {
	// Name of the service, e.g. "orders".
	Name string
	// Prefix goes before the name where names are shared with other platforms, e.g. "shop-dev".
	Prefix string
	// ImageParameter is the SSM parameter that holds the image the service runs, e.g. "/shop/dev/orders/image".
	ImageParameter string
	// RunParameter is the SSM parameter that says how a Task is started, e.g. "/shop/dev/migrate/run".
	RunParameter string
	// Registry is where the platform's repositories are, without the last part: "…amazonaws.com/shop". RepositoryARNs are
	// the ARNs of those that the service's images come from.
	Registry       string
	RepositoryARNs []string
	// AccountID and Region are where the service runs.
	AccountID, Region string
	Kind              Kind
	// Schedule is when a Job runs: an EventBridge expression in UTC, e.g. "cron(0 2 * * ? *)".
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	Schedule string
	// Container says how the image is run.
	Container Container
	// Requests say how a Web or Internal service answers.
	Requests Requests
	// Named lets services that call a Web service reach it by its name. An Internal one always has it. Defaults to false.
	Named bool
	// CPU in units of 1/1024 vCPU, and memory: a pair that CheckSize accepts.
	CPU, MemoryMiB int
	// MinTasks and MaxTasks bound the number of tasks. Not for a Job or a Task.
	MinTasks, MaxTasks int
	// Scheduled are times at which other bounds begin to hold. Defaults to none.
	Scheduled []Scheduled
	// Sleep is when no task runs. Defaults to never.
	Sleep *sleep.Hours
	// Queue is what a Worker consumes, Backlog how fast it must.
	Queue   *queue.Queue
	Backlog Backlog
	// Links are what the service uses. Defaults to nothing.
	Links []link.Link
	// Internet lets the service open TLS connections to any address; the network needs NAT for it. Defaults to false.
	Internet bool

	Cluster *cluster.Cluster
	Network *network.Network
	// Ingress is the load balancer of a Web service.
	Ingress *ingress.Ingress
	// Key encrypts the service's log and a Job's dead letters.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the service's log is kept.
	LogRetentionDays int
}

// Service is an ECS service, the scheduled task of a Job, or a Task that waits to be started.
type Service struct {
	TaskDefinition ecstaskdefinition.EcsTaskDefinition
	TaskRole       iamrole.IamRole
	ExecutionRole  iamrole.IamRole
	SecurityGroup  securitygroup.SecurityGroup
	// SecurityGroupID is its id, read once: each reading is a round trip to jsii.
	SecurityGroupID *string
	Image           ssmparameter.SsmParameter
	// Waits is true in Terraform while the service has no image, because nothing was released yet.
	Waits    cdktf.IResolvable
	LogGroup cloudwatchloggroup.CloudwatchLogGroup
	// Resource is nil for a Job and a Task.
	Resource ecsservice.EcsService
	// TargetGroup is nil but for a Web service.
	TargetGroup lbtargetgroup.LbTargetGroup
	// DeadLetters is nil but for a Job.
	DeadLetters *queue.Dead

	props Props
}

// New makes a service.
func New(scope constructs.Construct, id string, props Props) *Service {
	scope = constructs.NewConstruct(scope, &id)
	props.Requests = props.Requests.withDefaults()
	props.Container = props.Container.withDefaults(props.Kind, props.Requests)
	s := &Service{props: props}
	s.LogGroup = logging.NewGroup(scope, "log-group", logging.GroupProps{
		Name: "/ecs/" + props.Name, RetentionDays: props.LogRetentionDays, Key: props.Key,
	})
	s.image(scope)
	s.connections(scope)
	s.taskDefinition(scope)
	switch props.Kind {
	case Job:
		s.schedule(scope)
		return s
	case Task:
		s.run(scope)
		return s
	case Web:
		s.target(scope)
	}
	s.service(scope)
	s.scaling(scope)
	return s
}

// Unreleased is the image that a service's parameter holds until its first release. Nothing is ever pushed under this tag.
func Unreleased(registry, name string) string { return fmt.Sprintf("%s/%s:unreleased", registry, name) }

// image makes the parameter that says which image runs. A release writes it and what it is into the description, Terraform only
// reads it: so a release leaves nothing for Terraform to change, and Terraform never rolls a release back.
func (s *Service) image(scope constructs.Construct) {
	unreleased := Unreleased(s.props.Registry, s.props.Name)
	s.Image = ssmparameter.NewSsmParameter(scope, jsii.String("image"), &ssmparameter.SsmParameterConfig{
		Name:          &s.props.ImageParameter,
		Description:   jsii.String("The image " + s.props.Name + " runs; written by releases"),
		Type:          jsii.String("String"),
		InsecureValue: &unreleased,
		Lifecycle:     &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("insecure_value", "description")},
	})
	s.Waits = cdktf.Op_Eq(s.Image.InsecureValue(), unreleased)
	finding.Except(s.Image, finding.Exception{
		ID:      "CKV2_AWS_34",
		Reason:  "an image's name is no secret, and a reviewer has to see it in the plan",
		Expires: "2027-11-30",
	})
}

// onceReleased is the number, but 0 while there is no image: what cannot run must not be tried. The first release sets the
// number that Terraform would give then.
func (s *Service) onceReleased(number int) *float64 {
	return cdktf.Token_AsNumber(cdktf.Fn_Conditional(s.Waits, jsii.Number(0), jsii.Number(number)))
}

func (s *Service) taskDefinition(scope constructs.Construct) {
	p := s.props
	environment := map[string]string{
		"AWS_REGION":   p.Region,
		"SERVICE_NAME": p.Name,
	}
	if p.Kind.Listens() {
		environment["PORT"] = fmt.Sprint(p.Container.Port)
	}
	for _, l := range p.Links {
		maps.Copy(environment, l.Environment)
	}
	maps.Copy(environment, p.Container.Environment)
	s.TaskRole = taskRole(scope, p)
	s.ExecutionRole = executionRole(scope, p, s.LogGroup)
	compatibility := "FARGATE"
	if p.Cluster.Capacity.EC2 != nil {
		compatibility = "EC2"
	}
	config := &ecstaskdefinition.EcsTaskDefinitionConfig{
		Family:                  jsii.String(p.family()),
		RequiresCompatibilities: jsii.Strings(compatibility),
		NetworkMode:             jsii.String("awsvpc"),
		Cpu:                     jsii.String(fmt.Sprint(p.CPU)),
		Memory:                  jsii.String(fmt.Sprint(p.MemoryMiB)),
		RuntimePlatform: &ecstaskdefinition.EcsTaskDefinitionRuntimePlatform{
			OperatingSystemFamily: jsii.String("LINUX"), CpuArchitecture: jsii.String(string(p.Container.Architecture)),
		},
		ExecutionRoleArn:     s.ExecutionRole.Arn(),
		TaskRoleArn:          s.TaskRole.Arn(),
		ContainerDefinitions: jsii.String(p.containerJSON(*s.Image.InsecureValue(), *s.LogGroup.Name(), environment)),
		// A release registers a revision of its own: the newest one counts, not the one Terraform made.
		TrackLatest: jsii.Bool(true),
	}
	var scratch []*ecstaskdefinition.EcsTaskDefinitionVolume
	for _, name := range slices.Sorted(maps.Keys(p.Container.volumes())) {
		scratch = append(scratch, &ecstaskdefinition.EcsTaskDefinitionVolume{Name: jsii.String(name)})
	}
	config.Volume = scratch
	if p.Container.EphemeralStorageGiB > 0 {
		config.EphemeralStorage = &ecstaskdefinition.EcsTaskDefinitionEphemeralStorage{
			SizeInGib: jsii.Number(p.Container.EphemeralStorageGiB),
		}
	}
	s.TaskDefinition = ecstaskdefinition.NewEcsTaskDefinition(scope, jsii.String("task-definition"), config)
}

// family names the task definition.
func (p Props) family() string { return p.Prefix + "-" + p.Name }
