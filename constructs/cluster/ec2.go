package cluster

import (
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/autoscalinggroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsdefaulttags"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsaccountsettingdefault"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecscapacityprovider"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iaminstanceprofile"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamservicelinkedrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmsgrant"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/launchtemplate"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupegressrule"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
)

const (
	// maxLifetimeSeconds replaces an instance after two weeks. AWS publishes a new image of the system every week or two, so
	// instances get its fixes without a deploy.
	maxLifetimeSeconds = 14 * 24 * 3600
	// warmupSeconds is what an instance takes from its launch to its first task.
	warmupSeconds = 120
	// While instances are replaced, new ones are launched before old ones end: tasks must find room to move to.
	minHealthyPercent, maxHealthyPercent = 100, 110
)

// groupMetrics are the Auto Scaling group's metrics that alarms and graphs use. They cost nothing.
var groupMetrics = []string{"GroupDesiredCapacity", "GroupInServiceInstances"}

// instances makes what runs the tasks where the capacity is EC2:
//
//	role, security group -> aws_launch_template -> aws_autoscaling_group -> aws_ecs_capacity_provider
func instances(scope constructs.Construct, c *Cluster, props Props) ecscapacityprovider.EcsCapacityProvider {
	scope = constructs.NewConstruct(scope, jsii.String("ec2"))
	template := template(scope, c, props)
	group := group(scope, props, template)
	return ecscapacityprovider.NewEcsCapacityProvider(scope, jsii.String("provider"), &ecscapacityprovider.EcsCapacityProviderConfig{
		Name: jsii.String(providerName(props.Name)),
		AutoScalingGroupProvider: &ecscapacityprovider.EcsCapacityProviderAutoScalingGroupProvider{
			AutoScalingGroupArn: group.Arn(),
			ManagedScaling: &ecscapacityprovider.EcsCapacityProviderAutoScalingGroupProviderManagedScaling{
				Status: jsii.String("ENABLED"),
				// No idle instances: a task that finds no room waits the minutes its instance takes. Who wants room ready sets
				// MinInstances.
				TargetCapacity:       jsii.Number(100),
				InstanceWarmupPeriod: jsii.Number(warmupSeconds),
			},
			// Scaling in ends instances without tasks only; whatever else ends an instance moves its tasks away first.
			// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-termination-protection.html
			ManagedTerminationProtection: jsii.String("ENABLED"),
			ManagedDraining:              jsii.String("ENABLED"),
		},
	})
}

// template says what an instance is.
func template(scope constructs.Construct, c *Cluster, props Props) launchtemplate.LaunchTemplate {
	name := props.Name + "-ec2"
	volume := props.Capacity.EC2.VolumeGiB
	if volume == 0 {
		volume = defaultVolumeGiB
	}
	// What the provider tags by itself are the template and the group, not what they launch.
	defaults := dataawsdefaulttags.NewDataAwsDefaultTags(scope, jsii.String("default-tags"), &dataawsdefaulttags.DataAwsDefaultTagsConfig{})
	tags := cdktf.Token_AsStringMap(cdktf.Fn_Merge(&[]any{defaults.Tags(), map[string]*string{"Name": &name}}), nil)
	var tagged []*launchtemplate.LaunchTemplateTagSpecifications
	for _, kind := range []string{"instance", "volume"} {
		tagged = append(tagged, &launchtemplate.LaunchTemplateTagSpecifications{ResourceType: &kind, Tags: tags})
	}
	return launchtemplate.NewLaunchTemplate(scope, jsii.String("template"), &launchtemplate.LaunchTemplateConfig{
		Name:        &name,
		Description: jsii.String("Instances of the ECS cluster " + props.Name),
		// The parameter is read at each launch: a new image is nothing to deploy.
		// https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-systems-manager-parameters.html
		ImageId:            jsii.String("resolve:ssm:" + imageParameter(props.Capacity.Architecture())),
		UserData:           cdktf.Fn_Base64encode(jsii.String(userData(*c.Name))),
		IamInstanceProfile: &launchtemplate.LaunchTemplateIamInstanceProfile{Arn: profile(scope, c, props).Arn()},
		NetworkInterfaces: []*launchtemplate.LaunchTemplateNetworkInterfaces{{
			DeviceIndex:              jsii.Number(0),
			AssociatePublicIpAddress: jsii.String("false"),
			SecurityGroups:           &[]*string{security(scope, props).Id()},
		}},
		MetadataOptions: &launchtemplate.LaunchTemplateMetadataOptions{
			HttpEndpoint: jsii.String("enabled"),
			HttpTokens:   jsii.String("required"),
			// The answer gets no further than the instance itself: not into a container.
			HttpPutResponseHopLimit: jsii.Number(1),
		},
		BlockDeviceMappings: []*launchtemplate.LaunchTemplateBlockDeviceMappings{{
			DeviceName: jsii.String("/dev/xvda"),
			Ebs: &launchtemplate.LaunchTemplateBlockDeviceMappingsEbs{
				VolumeSize:          jsii.Number(volume),
				VolumeType:          jsii.String("gp3"),
				Encrypted:           jsii.String("true"),
				KmsKeyId:            props.Key.Arn(),
				DeleteOnTermination: jsii.String("true"),
			},
		}},
		EbsOptimized:      jsii.String("true"),
		Monitoring:        &launchtemplate.LaunchTemplateMonitoring{Enabled: jsii.Bool(true)},
		TagSpecifications: tagged,
	})
}

// imageParameter is the public parameter that holds the newest ECS-optimized image of Amazon Linux 2023.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
func imageParameter(architecture string) string {
	path := "/aws/service/ecs/optimized-ami/amazon-linux-2023"
	if architecture == "ARM64" {
		path += "/arm64"
	}
	return path + "/recommended/image_id"
}

// userData configures the ECS agent.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
func userData(cluster string) string {
	settings := []string{
		"ECS_CLUSTER=" + cluster,
		// Before Spot takes the instance away, its tasks move.
		"ECS_ENABLE_SPOT_INSTANCE_DRAINING=true",
		// Tasks have roles of their own and do not get the instance's.
		"ECS_AWSVPC_BLOCK_IMDS=true",
		// No task gets hold of the instance.
		"ECS_DISABLE_PRIVILEGED=true",
		// However full of tasks the instance is, the system and the agents have room.
		fmt.Sprintf("ECS_RESERVED_MEMORY=%d", reservedMiB),
	}
	return "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'END'\n" + strings.Join(settings, "\n") + "\nEND\n"
}

// profile lets the ECS agent run this cluster's tasks. It is what AWS's managed policy AmazonEC2ContainerServiceforEC2Role
// allows for every cluster, without images and logs: tasks have an execution role for these.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
func profile(scope constructs.Construct, c *Cluster, props Props) iaminstanceprofile.IamInstanceProfile {
	name := props.Name + "-ec2"
	role := iamrole.NewIamRole(scope, jsii.String("role"), &iamrole.IamRoleConfig{
		Name:        &name,
		Description: jsii.String("Instances of the ECS cluster " + props.Name),
		// Nothing to be said of the account: EC2 hands a role to instances of the account that owns it only, and sends no
		// aws:SourceAccount.
		AssumeRolePolicy: iam.NewDocument(scope, "role-trust", iam.Statement{
			Sid: "Assume", Principals: iam.Service("ec2.amazonaws.com"), Actions: []string{"sts:AssumeRole"},
		}).Json(),
		PermissionsBoundary: iam.Boundary(scope),
	})
	containerInstances := *cdktf.Fn_Replace(c.ARN, jsii.String(":cluster/"), jsii.String(":container-instance/")) + "/*"
	policy := iamrolepolicy.NewIamRolePolicy(scope, jsii.String("role-policy"), &iamrolepolicy.IamRolePolicyConfig{
		Name: &name,
		Role: role.Name(),
		Policy: iam.NewDocument(scope, "role-document",
			iam.Statement{
				Sid: "Cluster",
				Actions: []string{
					"ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance",
					"ecs:SubmitAttachmentStateChanges", "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange",
				},
				Resources: []string{*c.ARN},
			},
			iam.Statement{
				Sid:       "Instance",
				Actions:   []string{"ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"},
				Resources: []string{containerInstances},
			},
			iam.Statement{
				// Tells where to poll. It is about no resource.
				Sid: "Endpoint", Actions: []string{"ecs:DiscoverPollEndpoint"}, Resources: []string{"*"},
			},
		).Json(),
	})
	return iaminstanceprofile.NewIamInstanceProfile(scope, jsii.String("profile"), &iaminstanceprofile.IamInstanceProfileConfig{
		Name: &name, Role: role.Name(),
		// An instance that comes before the policy is refused by ECS and has nothing to do.
		DependsOn: &[]cdktf.ITerraformDependable{policy},
	})
}

// security lets instances reach AWS's services and nothing else, and nothing reach them. Tasks have groups of their own.
func security(scope constructs.Construct, props Props) securitygroup.SecurityGroup {
	name := props.Name + "-ec2"
	group := securitygroup.NewSecurityGroup(scope, jsii.String("security-group"), &securitygroup.SecurityGroupConfig{
		Name:        &name,
		Description: jsii.String("Instances of the ECS cluster " + props.Name),
		VpcId:       props.Network.VPCID,
		Tags:        &map[string]*string{"Name": &name},
	})
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("egress-endpoints"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId:           group.Id(),
		Description:               jsii.String("AWS services, by their endpoints"),
		ReferencedSecurityGroupId: props.Network.EndpointSecurity.Id(),
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(443),
		ToPort:                    jsii.Number(443),
	})
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("egress-s3"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId: group.Id(),
		Description:     jsii.String("S3, which holds the layers of images"),
		PrefixListId:    props.Network.S3Endpoint.PrefixListId(),
		IpProtocol:      jsii.String("tcp"),
		FromPort:        jsii.Number(443),
		ToPort:          jsii.Number(443),
	})
	return group
}

// group launches instances. How many there are is the capacity provider's to say: Terraform has no opinion.
func group(scope constructs.Construct, props Props, template launchtemplate.LaunchTemplate) autoscalinggroup.AutoscalingGroup {
	capacity := props.Capacity
	role, grant := launcher(scope, props)
	needs := append([]cdktf.ITerraformDependable{grant, trunking(scope)}, props.Network.Routes...)
	var types []*autoscalinggroup.AutoscalingGroupMixedInstancesPolicyLaunchTemplateOverride
	for _, t := range capacity.EC2.InstanceTypes {
		types = append(types, &autoscalinggroup.AutoscalingGroupMixedInstancesPolicyLaunchTemplateOverride{InstanceType: &t})
	}
	return autoscalinggroup.NewAutoscalingGroup(scope, jsii.String("group"), &autoscalinggroup.AutoscalingGroupConfig{
		Name:                 jsii.String(props.Name + "-ec2"),
		MinSize:              jsii.Number(capacity.EC2.MinInstances),
		MaxSize:              jsii.Number(capacity.EC2.MaxInstances),
		VpcZoneIdentifier:    props.Network.PrivateSubnetIDs,
		ServiceLinkedRoleArn: role.Arn(),
		MixedInstancesPolicy: &autoscalinggroup.AutoscalingGroupMixedInstancesPolicy{
			LaunchTemplate: &autoscalinggroup.AutoscalingGroupMixedInstancesPolicyLaunchTemplate{
				LaunchTemplateSpecification: &autoscalinggroup.AutoscalingGroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecification{
					LaunchTemplateId: template.Id(),
					// Its number and not $Latest, so that Terraform sees a change and replaces the instances.
					Version: cdktf.Token_AsString(template.LatestVersion(), nil),
				},
				Override: types,
			},
			InstancesDistribution: &autoscalinggroup.AutoscalingGroupMixedInstancesPolicyInstancesDistribution{
				OnDemandAllocationStrategy:          jsii.String("prioritized"),
				OnDemandBaseCapacity:                jsii.Number(capacity.OnDemandBase),
				OnDemandPercentageAboveBaseCapacity: jsii.Number(100 - capacity.SpotPercent),
				SpotAllocationStrategy:              jsii.String("price-capacity-optimized"),
			},
		},
		// A Spot instance that is likely to be taken away is replaced before it is.
		CapacityRebalance:     jsii.Bool(capacity.SpotPercent > 0),
		ProtectFromScaleIn:    jsii.Bool(true), // what ManagedTerminationProtection needs
		MaxInstanceLifetime:   jsii.Number(maxLifetimeSeconds),
		DefaultInstanceWarmup: jsii.Number(warmupSeconds),
		HealthCheckType:       jsii.String("EC2"),
		InstanceMaintenancePolicy: &autoscalinggroup.AutoscalingGroupInstanceMaintenancePolicy{
			MinHealthyPercentage: jsii.Number(minHealthyPercent), MaxHealthyPercentage: jsii.Number(maxHealthyPercent),
		},
		InstanceRefresh: &autoscalinggroup.AutoscalingGroupInstanceRefresh{
			Strategy: jsii.String("Rolling"),
			Preferences: &autoscalinggroup.AutoscalingGroupInstanceRefreshPreferences{
				MinHealthyPercentage: jsii.Number(minHealthyPercent),
				MaxHealthyPercentage: jsii.Number(maxHealthyPercent),
				// All instances are protected: waiting for them to be no longer would be waiting forever.
				ScaleInProtectedInstances: jsii.String("Refresh"),
			},
		},
		EnabledMetrics: jsii.Strings(groupMetrics...),
		// ECS adds the tag when the group gets its capacity provider, and the next plan would take it away.
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html
		Tag: []*autoscalinggroup.AutoscalingGroupTag{{
			Key: jsii.String("AmazonECSManaged"), Value: jsii.String(""), PropagateAtLaunch: jsii.Bool(true),
		}},
		// When the group goes its tasks are gone already, and instances hold nothing else. Without, AWS waits for protected
		// instances, and up to two days for their draining, of which nobody is left to take care.
		ForceDelete: jsii.Bool(true),
		DependsOn:   &needs,
	})
}

// launcher is the role Auto Scaling launches instances with, and the grant to encrypt their disks. It is a role of the group's
// own: the account's shared one exists only once a first group does, and would have the key for every group.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
func launcher(scope constructs.Construct, props Props) (iamservicelinkedrole.IamServiceLinkedRole, kmsgrant.KmsGrant) {
	role := iamservicelinkedrole.NewIamServiceLinkedRole(scope, jsii.String("launcher"), &iamservicelinkedrole.IamServiceLinkedRoleConfig{
		AwsServiceName: jsii.String("autoscaling.amazonaws.com"),
		CustomSuffix:   &props.Name,
		Description:    jsii.String("Launches instances of the ECS cluster " + props.Name),
	})
	grant := kmsgrant.NewKmsGrant(scope, jsii.String("launcher-key"), &kmsgrant.KmsGrantConfig{
		Name:             jsii.String(props.Name + "-ec2"),
		KeyId:            props.Key.KeyId(),
		GranteePrincipal: role.Arn(),
		Operations: jsii.Strings("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey",
			"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
	})
	return role, grant
}

// trunking gives an instance network interfaces for ten tasks and more instead of two. The setting is the account's and
// region's: it holds for every cluster there, and for instances launched from then on.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html
func trunking(scope constructs.Construct) ecsaccountsettingdefault.EcsAccountSettingDefault {
	return ecsaccountsettingdefault.NewEcsAccountSettingDefault(scope, jsii.String("trunking"), &ecsaccountsettingdefault.EcsAccountSettingDefaultConfig{
		Name: jsii.String("awsvpcTrunking"), Value: jsii.String("enabled"),
	})
}
