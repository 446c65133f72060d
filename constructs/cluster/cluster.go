// Package cluster makes an ECS cluster: the capacity tasks run on and the namespace they find each other in.
//
//	aws_service_discovery_http_namespace -> aws_ecs_cluster -> aws_ecs_cluster_capacity_providers
//	                                                                    |
//	                                  Fargate, or our own instances: aws_ecs_capacity_provider (ec2.go)
package cluster

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchloggroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecscluster"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsclustercapacityproviders"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/servicediscoveryhttpnamespace"

	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
)

// Props describe a cluster.
type Props struct {
	// Name of the cluster, e.g. "shop-dev". With EC2 at most 35 characters.
	Name string
	// Capacity is what the services run on. Defaults to Fargate on demand.
	Capacity Capacity
	// Network is where instances are, with Capacity's endpoints. Fargate needs none.
	Network *network.Network
	// Key encrypts ECS Exec sessions and their log, and the instances' disks.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the log of ECS Exec sessions is kept.
	LogRetentionDays int
}

// Cluster is an ECS cluster.
type Cluster struct {
	Resource  ecscluster.EcsCluster
	Namespace servicediscoveryhttpnamespace.ServiceDiscoveryHttpNamespace
	Capacity  Capacity
	// Name and ARN are the cluster's attributes, read once: each reading is a round trip to jsii.
	Name, ARN *string
	// Providers must be in place before a service uses them.
	Providers ecsclustercapacityproviders.EcsClusterCapacityProviders
	// ExecLog receives what is typed in ECS Exec sessions.
	ExecLog cloudwatchloggroup.CloudwatchLogGroup
	// Key encrypts ECS Exec sessions.
	Key kmskey.KmsKey
	// name is the cluster's as text, for what is no reference to it.
	name string
}

// New makes a cluster with Container Insights, Service Connect and audited ECS Exec.
func New(scope constructs.Construct, id string, props Props) *Cluster {
	scope = constructs.NewConstruct(scope, &id)
	c := &Cluster{Capacity: props.Capacity, Key: props.Key, name: props.Name}
	c.Namespace = servicediscoveryhttpnamespace.NewServiceDiscoveryHttpNamespace(scope, jsii.String("namespace"), &servicediscoveryhttpnamespace.ServiceDiscoveryHttpNamespaceConfig{
		Name:        &props.Name,
		Description: jsii.String("Services find each other here by Service Connect"),
	})
	c.ExecLog = logging.NewGroup(scope, "exec-log-group", logging.GroupProps{
		Name: "/ecs-exec/" + props.Name, RetentionDays: props.LogRetentionDays, Key: props.Key,
	})
	c.Resource = ecscluster.NewEcsCluster(scope, jsii.String("cluster"), &ecscluster.EcsClusterConfig{
		Name: &props.Name,
		Setting: []*ecscluster.EcsClusterSetting{{
			Name: jsii.String("containerInsights"), Value: jsii.String("enabled"),
		}},
		ServiceConnectDefaults: &ecscluster.EcsClusterServiceConnectDefaults{Namespace: c.Namespace.Arn()},
		Configuration: &ecscluster.EcsClusterConfiguration{
			ExecuteCommandConfiguration: &ecscluster.EcsClusterConfigurationExecuteCommandConfiguration{
				KmsKeyId: props.Key.Arn(),
				Logging:  jsii.String("OVERRIDE"),
				LogConfiguration: &ecscluster.EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration{
					CloudWatchLogGroupName:      c.ExecLog.Name(),
					CloudWatchEncryptionEnabled: jsii.Bool(true),
				},
			},
		},
	})
	c.Name, c.ARN = c.Resource.Name(), c.Resource.Arn()
	c.capacity(scope, props)
	return c
}

// capacity tells the cluster what its services run on unless they say otherwise.
func (c *Cluster) capacity(scope constructs.Construct, props Props) {
	providers := jsii.Strings("FARGATE", "FARGATE_SPOT")
	if props.Capacity.EC2 != nil {
		// Fargate stays: ECS takes no provider away while services use it, and some may just be moving from there.
		*providers = append(*providers, instances(scope, c, props).Name())
	}
	var strategy []*ecsclustercapacityproviders.EcsClusterCapacityProvidersDefaultCapacityProviderStrategy
	for _, s := range c.Strategy() {
		strategy = append(strategy, &ecsclustercapacityproviders.EcsClusterCapacityProvidersDefaultCapacityProviderStrategy{
			CapacityProvider: jsii.String(s.Provider), Base: jsii.Number(s.Base), Weight: jsii.Number(s.Weight),
		})
	}
	c.Providers = ecsclustercapacityproviders.NewEcsClusterCapacityProviders(scope, jsii.String("capacity"), &ecsclustercapacityproviders.EcsClusterCapacityProvidersConfig{
		ClusterName:                     c.Name,
		CapacityProviders:               providers,
		DefaultCapacityProviderStrategy: strategy,
	})
}

// Strategy says on which capacity a service's tasks run.
func (c *Cluster) Strategy() []Share { return c.Capacity.Shares(c.name) }
