// Package cluster makes an ECS cluster: the capacity tasks run on and the namespace they find each other in.
//
//	aws_service_discovery_http_namespace -> aws_ecs_cluster -> aws_ecs_cluster_capacity_providers
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
)

// Capacity says how much of a service runs on which Fargate.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
type Capacity struct {
	// OnDemandBase is how many tasks of each service always run on demand. Defaults to 0.
	OnDemandBase int
	// SpotPercent is how much of the rest runs on Spot, which costs about 70 % less and may be taken away with two minutes'
	// notice. Defaults to 0.
	SpotPercent int
}

// Share is one row of a capacity provider strategy.
type Share struct {
	Provider     string
	Base, Weight int
}

// Shares returns the capacity as a strategy. Providers that would get nothing are left out.
func (c Capacity) Shares() []Share {
	var shares []Share
	if c.SpotPercent < 100 || c.OnDemandBase > 0 {
		shares = append(shares, Share{Provider: "FARGATE", Base: c.OnDemandBase, Weight: 100 - c.SpotPercent})
	}
	if c.SpotPercent > 0 {
		shares = append(shares, Share{Provider: "FARGATE_SPOT", Weight: c.SpotPercent})
	}
	return shares
}

// Props describe a cluster.
type Props struct {
	// Name of the cluster, e.g. "shop-dev".
	Name string
	// Capacity is what the services run on. Defaults to Fargate on demand.
	Capacity Capacity
	// Key encrypts ECS Exec sessions and their log.
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
}

// New makes a cluster with Container Insights, Service Connect and audited ECS Exec.
func New(scope constructs.Construct, id string, props Props) *Cluster {
	scope = constructs.NewConstruct(scope, &id)
	c := &Cluster{Capacity: props.Capacity, Key: props.Key}
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
	var strategy []*ecsclustercapacityproviders.EcsClusterCapacityProvidersDefaultCapacityProviderStrategy
	for _, s := range props.Capacity.Shares() {
		strategy = append(strategy, &ecsclustercapacityproviders.EcsClusterCapacityProvidersDefaultCapacityProviderStrategy{
			CapacityProvider: jsii.String(s.Provider), Base: jsii.Number(s.Base), Weight: jsii.Number(s.Weight),
		})
	}
	c.Providers = ecsclustercapacityproviders.NewEcsClusterCapacityProviders(scope, jsii.String("capacity"), &ecsclustercapacityproviders.EcsClusterCapacityProvidersConfig{
		ClusterName:                     c.Name,
		CapacityProviders:               jsii.Strings("FARGATE", "FARGATE_SPOT"),
		DefaultCapacityProviderStrategy: strategy,
	})
	return c
}
