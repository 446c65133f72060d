package service

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ssmparameter"

	"aws-microservices/internal/finding"
)

// How a Task is started, in the words of the RunTask API.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
type (
	runTask struct {
		Cluster                  string               `json:"cluster"`
		TaskDefinition           string               `json:"taskDefinition"`
		CapacityProviderStrategy []capacityShare      `json:"capacityProviderStrategy"`
		NetworkConfiguration     networkConfiguration `json:"networkConfiguration"`
		PropagateTags            string               `json:"propagateTags"`
		EnableECSManagedTags     bool                 `json:"enableECSManagedTags"`
	}
	capacityShare struct {
		CapacityProvider string `json:"capacityProvider"`
		Base             int    `json:"base"`
		Weight           int    `json:"weight"`
	}
	networkConfiguration struct {
		AwsvpcConfiguration awsvpcConfiguration `json:"awsvpcConfiguration"`
	}
	awsvpcConfiguration struct {
		Subnets        []string `json:"subnets"`
		SecurityGroups []string `json:"securityGroups"`
		AssignPublicIP string   `json:"assignPublicIp"`
	}
)

// run makes the parameter that says how the task is started, so that whoever starts it needs to know its name only.
func (s *Service) run(scope constructs.Construct) {
	p := s.props
	request := runTask{
		Cluster: *p.Cluster.Name,
		// Without a revision: the newest one, which a release may have registered.
		TaskDefinition:       p.family(),
		PropagateTags:        "TASK_DEFINITION",
		EnableECSManagedTags: true,
	}
	for _, share := range p.Cluster.Strategy() {
		request.CapacityProviderStrategy = append(request.CapacityProviderStrategy, capacityShare{share.Provider, share.Base, share.Weight})
	}
	vpc := &request.NetworkConfiguration.AwsvpcConfiguration
	for _, id := range *p.Network.PrivateSubnetIDs {
		vpc.Subnets = append(vpc.Subnets, *id)
	}
	vpc.SecurityGroups = []string{*s.SecurityGroupID}
	vpc.AssignPublicIP = "DISABLED"
	parameter := ssmparameter.NewSsmParameter(scope, jsii.String("run"), &ssmparameter.SsmParameterConfig{
		Name:          &p.RunParameter,
		Description:   jsii.String("How " + p.Name + " is started"),
		Type:          jsii.String("String"),
		InsecureValue: jsii.String(marshal(request)),
		DependsOn:     s.prerequisites(),
	})
	finding.Except(parameter, finding.Exception{
		ID:      "CKV2_AWS_34",
		Reason:  "where a task runs is no secret, and a reviewer has to see it in the plan",
		Expires: "2027-11-30",
	})
}
