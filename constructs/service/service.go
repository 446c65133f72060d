// Package service makes one ECS service of any kind.
//
//	                      image parameter (SSM)
//	                              |
//	links -> task role, rules -> task definition -> aws_ecs_service (Web, Internal, Worker)  or  schedule (Job)
//	                              |
//	                      log group /ecs/<service>
package service

import (
	"fmt"
	"maps"

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
)

// Listens tells whether services of the kind answer requests.
func (k Kind) Listens() bool { return k == Web || k == Internal }

const (
	portName = "http"
	// stopTimeoutSeconds is how long a task may finish its work after SIGTERM; the target group stops sending requests
	// to it in less.
	stopTimeoutSeconds         = 30
	deregistrationDelaySeconds = 20
)

// Props describe a service.
type Props struct {
	// Name of the service, e.g. "orders".
	Name string
	// Prefix goes before the name where names are shared with other platforms, e.g. "shop-dev".
	Prefix string
	// ImageParameter is the SSM parameter that holds the image the service runs, e.g. "/shop/dev/orders/image".
	ImageParameter string
	// Repository is the URL of the service's ECR repository; RepositoryARN its ARN.
	Repository, RepositoryARN string
	// AccountID and Region are where the service runs.
	AccountID, Region string
	Kind              Kind
	// Schedule is when a Job runs: an EventBridge expression in UTC, e.g. "cron(0 2 * * ? *)".
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	Schedule string
	// CPU in units of 1/1024 vCPU, and memory: a pair that CheckSize accepts.
	CPU, MemoryMiB int
	// MinTasks and MaxTasks bound the number of tasks. Not for a Job.
	MinTasks, MaxTasks int
	// Port is where the container listens. Defaults to 8080.
	Port int
	// HealthPath answers 200 when a task can serve. Defaults to "/healthz".
	HealthPath string
	// Links are what the service uses. Defaults to nothing.
	Links []link.Link
	// Internet lets the service open TLS connections to any address; the network needs NAT for it. Defaults to false.
	Internet bool

	Cluster *cluster.Cluster
	Network *network.Network
	// Ingress is the load balancer of a Web service.
	Ingress *ingress.Ingress
	// Key encrypts the service's log.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the service's log is kept.
	LogRetentionDays int
}

// Service is an ECS service, or the scheduled task of a Job.
type Service struct {
	TaskDefinition ecstaskdefinition.EcsTaskDefinition
	TaskRole       iamrole.IamRole
	SecurityGroup  securitygroup.SecurityGroup
	// SecurityGroupID is its id, read once: each reading is a round trip to jsii.
	SecurityGroupID *string
	Image           ssmparameter.SsmParameter
	LogGroup        cloudwatchloggroup.CloudwatchLogGroup
	// Resource is nil for a Job.
	Resource ecsservice.EcsService
	// TargetGroup is nil but for a Web service.
	TargetGroup lbtargetgroup.LbTargetGroup

	props Props
}

// New makes a service.
func New(scope constructs.Construct, id string, props Props) *Service {
	scope = constructs.NewConstruct(scope, &id)
	if props.Port == 0 {
		props.Port = 8080
	}
	if props.HealthPath == "" {
		props.HealthPath = "/healthz"
	}
	s := &Service{props: props}
	s.LogGroup = logging.NewGroup(scope, "log-group", logging.GroupProps{
		Name: "/ecs/" + props.Name, RetentionDays: props.LogRetentionDays, Key: props.Key,
	})
	s.image(scope)
	s.connections(scope)
	s.taskDefinition(scope)
	if props.Kind == Job {
		s.schedule(scope)
		return s
	}
	if props.Kind == Web {
		s.target(scope)
	}
	s.service(scope)
	s.scaling(scope)
	return s
}

// image makes the parameter that says which image runs. A release writes it, Terraform only reads it: so a release leaves
// nothing for Terraform to change, and Terraform never rolls a release back.
func (s *Service) image(scope constructs.Construct) {
	s.Image = ssmparameter.NewSsmParameter(scope, jsii.String("image"), &ssmparameter.SsmParameterConfig{
		Name:        &s.props.ImageParameter,
		Description: jsii.String("The image " + s.props.Name + " runs; written by releases"),
		Type:        jsii.String("String"),
		// Until the first release.
		InsecureValue: jsii.String(s.props.Repository + ":latest"),
		Lifecycle:     &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("insecure_value")},
	})
	finding.Except(s.Image, finding.Exception{
		ID:      "CKV2_AWS_34",
		Reason:  "an image's name is no secret, and a reviewer has to see it in the plan",
		Expires: "2027-11-30",
	})
}

func (s *Service) taskDefinition(scope constructs.Construct) {
	p := s.props
	environment := map[string]string{
		"AWS_REGION":   p.Region,
		"SERVICE_NAME": p.Name,
	}
	if p.Kind.Listens() {
		environment["PORT"] = fmt.Sprint(p.Port)
	}
	for _, l := range p.Links {
		maps.Copy(environment, l.Environment)
	}
	var scratch []*ecstaskdefinition.EcsTaskDefinitionVolume
	for _, v := range volumes {
		scratch = append(scratch, &ecstaskdefinition.EcsTaskDefinitionVolume{Name: jsii.String(v.name)})
	}
	s.TaskRole = taskRole(scope, p)
	s.TaskDefinition = ecstaskdefinition.NewEcsTaskDefinition(scope, jsii.String("task-definition"), &ecstaskdefinition.EcsTaskDefinitionConfig{
		Family:                  jsii.String(p.Prefix + "-" + p.Name),
		RequiresCompatibilities: jsii.Strings("FARGATE"),
		NetworkMode:             jsii.String("awsvpc"),
		Cpu:                     jsii.String(fmt.Sprint(p.CPU)),
		Memory:                  jsii.String(fmt.Sprint(p.MemoryMiB)),
		RuntimePlatform: &ecstaskdefinition.EcsTaskDefinitionRuntimePlatform{
			OperatingSystemFamily: jsii.String("LINUX"), CpuArchitecture: jsii.String("X86_64"),
		},
		ExecutionRoleArn:     executionRole(scope, p, s.LogGroup).Arn(),
		TaskRoleArn:          s.TaskRole.Arn(),
		Volume:               scratch,
		ContainerDefinitions: jsii.String(containerJSON(p, *s.Image.InsecureValue(), p.Region, *s.LogGroup.Name(), environment)),
		// A release registers a revision of its own: the newest one counts, not the one Terraform made.
		TrackLatest: jsii.Bool(true),
	})
}

// service makes the ECS service, which keeps the number of tasks and replaces them when the task definition changes.
func (s *Service) service(scope constructs.Construct) {
	p := s.props
	var strategy []*ecsservice.EcsServiceCapacityProviderStrategy
	for _, share := range p.Cluster.Capacity.Shares() {
		strategy = append(strategy, &ecsservice.EcsServiceCapacityProviderStrategy{
			CapacityProvider: jsii.String(share.Provider), Base: jsii.Number(share.Base), Weight: jsii.Number(share.Weight),
		})
	}
	config := &ecsservice.EcsServiceConfig{
		Name:                            &p.Name,
		Cluster:                         p.Cluster.ARN,
		TaskDefinition:                  s.TaskDefinition.Arn(),
		DesiredCount:                    jsii.Number(p.MinTasks),
		CapacityProviderStrategy:        strategy,
		PlatformVersion:                 jsii.String("LATEST"),
		DeploymentMinimumHealthyPercent: jsii.Number(100),
		DeploymentMaximumPercent:        jsii.Number(200),
		DeploymentCircuitBreaker: &ecsservice.EcsServiceDeploymentCircuitBreaker{
			Enable: jsii.Bool(true), Rollback: jsii.Bool(true),
		},
		AvailabilityZoneRebalancing: jsii.String("ENABLED"),
		EnableExecuteCommand:        jsii.Bool(true),
		EnableEcsManagedTags:        jsii.Bool(true),
		PropagateTags:               jsii.String("SERVICE"),
		NetworkConfiguration: &ecsservice.EcsServiceNetworkConfiguration{
			Subnets:        p.Network.PrivateSubnetIDs,
			SecurityGroups: &[]*string{s.SecurityGroupID},
			AssignPublicIp: jsii.Bool(false),
		},
		ServiceConnectConfiguration: s.serviceConnect(),
		// Autoscaling owns the number of tasks once the service is there.
		Lifecycle: &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("desired_count")},
		DependsOn: s.prerequisites(),
	}
	if s.TargetGroup != nil {
		config.LoadBalancer = []*ecsservice.EcsServiceLoadBalancer{{
			TargetGroupArn: s.TargetGroup.Arn(), ContainerName: &p.Name, ContainerPort: jsii.Number(p.Port),
		}}
		config.HealthCheckGracePeriodSeconds = jsii.Number(60)
	}
	s.Resource = ecsservice.NewEcsService(scope, jsii.String("service"), config)
}

// prerequisites are what tasks need that nothing else refers to.
func (s *Service) prerequisites() *[]cdktf.ITerraformDependable {
	needs := append([]cdktf.ITerraformDependable{s.props.Cluster.Providers}, s.props.Network.Routes...)
	return &needs
}

// serviceConnect names the service to others, and lets it reach those it calls by theirs.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect.html
func (s *Service) serviceConnect() *ecsservice.EcsServiceServiceConnectConfiguration {
	p := s.props
	calls := false
	for _, l := range p.Links {
		calls = calls || l.ByName
	}
	if p.Kind != Internal && !calls {
		return nil
	}
	options := map[string]*string{}
	logs := awslogs(p.Region, *s.LogGroup.Name())
	for name, value := range logs.Options {
		options[name] = jsii.String(value)
	}
	config := &ecsservice.EcsServiceServiceConnectConfiguration{
		Enabled:   jsii.Bool(true),
		Namespace: p.Cluster.Namespace.Arn(),
		LogConfiguration: &ecsservice.EcsServiceServiceConnectConfigurationLogConfiguration{
			LogDriver: &logs.LogDriver, Options: &options,
		},
	}
	if p.Kind == Internal {
		config.Service = []*ecsservice.EcsServiceServiceConnectConfigurationService{{
			PortName:      jsii.String(portName),
			DiscoveryName: &p.Name,
			ClientAlias: &ecsservice.EcsServiceServiceConnectConfigurationServiceClientAlias{
				DnsName: &p.Name, Port: jsii.Number(p.Port),
			},
		}}
	}
	return config
}

// Call is the link of a service that sends requests to this one.
func (s *Service) Call() link.Link {
	return link.Link{
		Name:        "calls-" + s.props.Name,
		Environment: map[string]string{link.Variable("service", s.props.Name, "url"): fmt.Sprintf("http://%s:%d", s.props.Name, s.props.Port)},
		Peer:        &link.Peer{Name: "service " + s.props.Name, SecurityGroupID: s.SecurityGroupID, Port: s.props.Port},
		ByName:      true,
	}
}
