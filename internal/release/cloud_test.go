package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

func TestErrorsThatPassAreToldFromThoseThatStay(t *testing.T) {
	status := func(code int) error {
		return &smithy.OperationError{ServiceID: "ECS", OperationName: "DescribeServices", Err: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("x"),
		}}
	}
	api := func(code string) error {
		return fmt.Errorf("service orders: %w", &smithy.GenericAPIError{Code: code, Message: "x"})
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"throttled":         {api("ThrottlingException"), true},
		"too many requests": {api("TooManyRequestsException"), true},
		"request limit":     {api("RequestLimitExceeded"), true},
		"fault of AWS":      {status(500), true},
		"unavailable":       {status(503), true},
		"connection lost":   {fmt.Errorf("x: %w", lost), true},
		"answer cut off":    {fmt.Errorf("x: %w", json.Unmarshal([]byte(`{"services": [`), new(any))), true},
		"not allowed":       {api("AccessDeniedException"), false},
		"login too old":     {api("ExpiredTokenException"), false},
		"no such service":   {api("ServiceNotFoundException"), false},
		"wrong request":     {status(400), false},
		"refused by us":     {Refused("x"), false},
	} {
		if got := passing(test.err); got != test.want {
			t.Errorf("%s: %t, want %t: %v", name, got, test.want, test.err)
		}
	}
}

func TestTasksAreReadAsECSTellsThem(t *testing.T) {
	stopped := types.Task{
		TaskArn: aws.String("arn:aws:ecs:eu-west-1:444455556666:task/shop-dev/0123456789abcdef"), LastStatus: aws.String("STOPPED"),
		StopCode: types.TaskStopCodeServiceSchedulerInitiated, StoppedReason: aws.String("Task failed container health checks"),
		HealthStatus: types.HealthStatusUnhealthy, // kept after the end
		Containers:   []types.Container{{Name: aws.String("orders"), ExitCode: aws.Int32(143)}},
	}
	want := Task{
		ID: "0123456789abcdef", StopCode: "ServiceSchedulerInitiated", Reason: "Task failed container health checks",
		Containers: []Container{{Name: "orders", ExitCode: aws.Int(143)}},
	}
	if diff := cmp.Diff(want, taskOf(stopped)); diff != "" {
		t.Error(diff)
	}
	sick := types.Task{TaskArn: stopped.TaskArn, LastStatus: aws.String("RUNNING"), HealthStatus: types.HealthStatusUnhealthy}
	if diff := cmp.Diff(Task{ID: "0123456789abcdef", Health: "UNHEALTHY"}, taskOf(sick)); diff != "" {
		t.Error(diff)
	}
}
