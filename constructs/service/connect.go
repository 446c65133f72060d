package service

import (
	"fmt"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"

	"aws-microservices/constructs/link"
	"aws-microservices/constructs/monitoring"
)

// callPort is where callers reach an HTTP service, so that its address is its name; others are called at their own port.
const callPort = 80

// serviceConnect names the service to others, and lets it reach those it calls by theirs.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect.html
func (s *Service) serviceConnect() *ecsservice.EcsServiceServiceConnectConfiguration {
	p := s.props
	calls := false
	for _, l := range p.Links {
		calls = calls || l.ByName
	}
	if !p.named() && !calls {
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
	if !p.named() {
		return config
	}
	row := &ecsservice.EcsServiceServiceConnectConfigurationService{
		PortName:      jsii.String(portName),
		DiscoveryName: &p.Name,
		ClientAlias: &ecsservice.EcsServiceServiceConnectConfigurationServiceClientAlias{
			DnsName: &p.Name, Port: jsii.Number(p.callPort()),
		},
	}
	if p.Container.Protocol != TCP {
		row.Timeout = &ecsservice.EcsServiceServiceConnectConfigurationServiceTimeout{
			PerRequestTimeoutSeconds: jsii.Number(p.Requests.MaxSeconds),
		}
	}
	config.Service = []*ecsservice.EcsServiceServiceConnectConfigurationService{row}
	return config
}

// named tells whether other services can reach this one by its name.
func (p Props) named() bool { return p.Kind == Internal || p.Named }

func (p Props) callPort() int {
	if p.Container.Protocol == HTTP {
		return callPort
	}
	return p.Container.Port
}

// Call is the link of the service `caller`, which sends requests to this one.
func (s *Service) Call(caller string) link.Link {
	p := s.props
	l := link.Link{
		Name:   "calls-" + p.Name,
		Peer:   &link.Peer{Name: "service " + p.Name, SecurityGroupID: s.SecurityGroupID, Port: p.Container.Port},
		ByName: true,
	}
	if p.Container.Protocol != HTTP {
		l.Environment = map[string]string{link.Variable("service", p.Name, "address"): fmt.Sprintf("%s:%d", p.Name, p.callPort())}
		return l
	}
	l.Environment = map[string]string{link.Variable("service", p.Name, "url"): "http://" + p.Name}
	l.Alarms = []monitoring.Alarm{{
		ID:          fmt.Sprintf("%s-calls-%s", caller, p.Name),
		Description: fmt.Sprintf("%s gets errors from %s: read /ecs/%s", caller, p.Name, p.Name),
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
		Metric: monitoring.Metric{
			Namespace: "AWS/ECS", Name: "HTTPCode_Target_5XX_Count", Statistic: "Sum",
			Dimensions: map[string]string{"ClusterName": *p.Cluster.Name, "ServiceName": caller, "TargetDiscoveryName": p.Name},
		},
		Comparison: monitoring.Above, Threshold: 10,
	}}
	return l
}
