package service

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// service keeps tasks running, and replaces them without a gap.
func (s *Service) service(scope constructs.Construct) {
	p := s.props
	var strategy []*ecsservice.EcsServiceCapacityProviderStrategy
	for _, share := range p.Cluster.Strategy() {
		strategy = append(strategy, &ecsservice.EcsServiceCapacityProviderStrategy{
			CapacityProvider: jsii.String(share.Provider), Base: jsii.Number(share.Base), Weight: jsii.Number(share.Weight),
		})
	}
	config := &ecsservice.EcsServiceConfig{
		Name:                            &p.Name,
		Cluster:                         p.Cluster.ARN,
		TaskDefinition:                  s.TaskDefinition.Arn(),
		DesiredCount:                    s.onceReleased(p.MinTasks),
		CapacityProviderStrategy:        strategy,
		DeploymentMinimumHealthyPercent: jsii.Number(100),
		DeploymentMaximumPercent:        jsii.Number(maximumPercent(p.MinTasks)),
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
		DependsOn:                   s.prerequisites(),
	}
	if p.Cluster.Capacity.EC2 == nil {
		config.PlatformVersion = jsii.String("LATEST")
	} else {
		// Apart in zones, so that one may fail; close together within them, so that instances may go.
		config.OrderedPlacementStrategy = []*ecsservice.EcsServiceOrderedPlacementStrategy{
			{Type: jsii.String("spread"), Field: jsii.String("attribute:ecs.availability-zone")},
			{Type: jsii.String("binpack"), Field: jsii.String("memory")},
		}
	}
	if p.scales() {
		// Autoscaling owns the number of tasks once the service is there.
		config.Lifecycle = &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("desired_count")}
	}
	if s.TargetGroup != nil {
		config.LoadBalancer = []*ecsservice.EcsServiceLoadBalancer{{
			TargetGroupArn: s.TargetGroup.Arn(), ContainerName: &p.Name, ContainerPort: jsii.Number(p.Container.Port),
		}}
		config.HealthCheckGracePeriodSeconds = jsii.Number(60)
	}
	s.Resource = ecsservice.NewEcsService(scope, jsii.String("service"), config)
}

// maximumPercent is how many tasks may run while they are replaced, all the old ones staying until then: a quarter more,
// but at least one. ECS rounds down, so that for few tasks a quarter would be none and the deployment would stand still.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
func maximumPercent(tasks int) int {
	return 100 + max(25, (100+tasks-1)/tasks)
}

// RollBackOn makes a deployment during which one of the alarms goes off return to what ran before.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func (s *Service) RollBackOn(alarms []*string) {
	s.Resource.PutAlarms(&ecsservice.EcsServiceAlarms{AlarmNames: &alarms, Enable: jsii.Bool(true), Rollback: jsii.Bool(true)})
}

// prerequisites are what tasks need that nothing else refers to.
func (s *Service) prerequisites() *[]cdktf.ITerraformDependable {
	needs := append([]cdktf.ITerraformDependable{s.props.Cluster.Providers}, s.props.Network.Routes...)
	return &needs
}
