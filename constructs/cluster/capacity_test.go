package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCapacityShares(t *testing.T) {
	for name, test := range map[string]struct {
		capacity Capacity
		want     []Share
	}{
		"on demand by default":        {Capacity{}, []Share{{"FARGATE", 0, 100}}},
		"all on Spot":                 {Capacity{SpotPercent: 100}, []Share{{"FARGATE_SPOT", 0, 100}}},
		"a base on demand, then Spot": {Capacity{OnDemandBase: 1, SpotPercent: 100}, []Share{{"FARGATE", 1, 0}, {"FARGATE_SPOT", 0, 100}}},
		"half and half above a base":  {Capacity{OnDemandBase: 2, SpotPercent: 50}, []Share{{"FARGATE", 2, 50}, {"FARGATE_SPOT", 0, 50}}},
		"all on the instances":        {Capacity{OnDemandBase: 2, SpotPercent: 50, EC2: &EC2{}}, []Share{{"ec2-shop-dev", 0, 100}}},
	} {
		if diff := cmp.Diff(test.want, test.capacity.Shares("shop-dev")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestCapacityThatAWSWouldRefuseIsRefused(t *testing.T) {
	valid := func() Capacity {
		return Capacity{OnDemandBase: 1, SpotPercent: 50, EC2: &EC2{
			InstanceTypes: []string{"m6i.large", "t3.2xlarge"}, MinInstances: 2, MaxInstances: 6, VolumeGiB: 100,
		}}
	}
	for _, test := range []struct {
		name  string
		spoil func(*Capacity)
		want  string // one line a problem
	}{
		{"nothing wrong", func(*Capacity) {}, ""},
		{"one type, on demand", func(c *Capacity) { c.SpotPercent, c.EC2.InstanceTypes = 0, []string{"t4g.large"} }, ""},
		{"none running, the default volume", func(c *Capacity) { c.EC2.MinInstances, c.EC2.VolumeGiB = 0, 0 }, ""},
		{"Fargate", func(c *Capacity) { *c = Capacity{OnDemandBase: 100000, SpotPercent: 100} }, ""},
		{"more than all on Spot", func(c *Capacity) { c.SpotPercent = 101 }, "SpotPercent is 101: choose 0 to 100 percent"},
		{"less than none on Spot", func(c *Capacity) { c.SpotPercent = -1 }, "SpotPercent is -1: choose 0 to 100 percent"},
		{
			"a base Fargate does not take", func(c *Capacity) { *c = Capacity{OnDemandBase: -1} },
			"OnDemandBase is -1: choose 0 to 100000 tasks",
		},
		{
			"a base of more instances than there may be", func(c *Capacity) { c.OnDemandBase = 7 },
			"OnDemandBase is 7: with EC2 it counts instances: choose 0 to EC2.MaxInstances, which is 6",
		},
		{
			"no types", func(c *Capacity) { c.EC2.InstanceTypes = nil },
			`EC2.InstanceTypes is empty: name at least one, e.g. "m7g.large"`,
		},
		{
			"one type on Spot", func(c *Capacity) { c.EC2.InstanceTypes = []string{"m6i.large"} },
			`EC2.InstanceTypes is "m6i.large": Spot may run out of one type: name another of its size, or set SpotPercent to 0`,
		},
		{
			"a type twice", func(c *Capacity) { c.EC2.InstanceTypes = []string{"m6i.large", "m6i.large"} },
			`EC2.InstanceTypes is "m6i.large": it is there twice: leave one out`,
		},
		{
			"types of two architectures", func(c *Capacity) { c.EC2.InstanceTypes = []string{"m6i.large", "m6g.large"} },
			`EC2.InstanceTypes is "m6g.large": it is ARM64 but m6i.large is X86_64, and an image runs on one of them only: name types of one architecture`,
		},
		{
			"a family that is not known", func(c *Capacity) { c.EC2.InstanceTypes[0] = "m1.large" },
			`EC2.InstanceTypes is "m1.large": choose from t3.large to 2xlarge, t4g.large to 2xlarge, m6i.large to 4xlarge, ` +
				`m6g.large to 4xlarge, m7i.large to 4xlarge, m7g.large to 4xlarge, c7i.large to 4xlarge, c7g.large to 4xlarge, ` +
				`r7i.large to 4xlarge, r7g.large to 4xlarge`,
		},
		{"no room to grow", func(c *Capacity) { c.EC2.MaxInstances = 0 }, `EC2.MaxInstances is 0: choose 1 to 5000 instances
EC2.MinInstances is 2: choose 0 to MaxInstances, which is 0
OnDemandBase is 1: with EC2 it counts instances: choose 0 to EC2.MaxInstances, which is 0`},
		{"a least that is above the most", func(c *Capacity) { c.EC2.MinInstances = 7 }, "EC2.MinInstances is 7: choose 0 to MaxInstances, which is 6"},
		{"a negative least", func(c *Capacity) { c.EC2.MinInstances = -1 }, "EC2.MinInstances is -1: choose 0 to MaxInstances, which is 6"},
		{
			"a volume below the size of the image", func(c *Capacity) { c.EC2.VolumeGiB = 29 },
			"EC2.VolumeGiB is 29: choose 30 to 16384 GiB, or 0 for the default of 30",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.spoil(&c)
			var got string
			if err := c.Check(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestInstanceTypesAreThoseAWSHas(t *testing.T) {
	for _, test := range []struct {
		instanceType string
		want         *instance // nil where there is none
	}{
		{"m6i.large", &instance{"X86_64", 2048, 8192*92/100 - 256}},
		{"c7g.large", &instance{"ARM64", 2048, 4096*92/100 - 256}},
		{"r7i.xlarge", &instance{"X86_64", 4096, 32768*92/100 - 256}},
		{"m7g.4xlarge", &instance{"ARM64", 16384, 65536*92/100 - 256}},
		{"t3.2xlarge", &instance{"X86_64", 8192, 32768*92/100 - 256}},
		{"t3.4xlarge", nil},
		{"t4g.micro", nil},
		{"m6i", nil},
		{"m6i.", nil},
		{"", nil},
	} {
		var got *instance
		if i, known := lookUp(test.instanceType); known {
			got = &i
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(instance{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.instanceType, diff)
		}
	}
}

func TestTasksMustFitOnEveryInstanceType(t *testing.T) {
	for _, test := range []struct {
		types       []string
		cpu, memory int
		refused     string // part of the message, empty if the task fits
	}{
		{[]string{"m6i.large"}, 128, 6, ""},
		{[]string{"m6i.large"}, 300, 700, ""}, // no pair of Fargate's
		{[]string{"m6i.large"}, 2048, 7280, ""},
		{[]string{"m6i.large"}, 2048, 7281, "7281 MiB do not fit on m6i.large, which has 7280 left for tasks"},
		{[]string{"m6i.large"}, 2049, 512, "CPU 2049 does not fit on m6i.large, which has 2048"},
		{[]string{"m6i.xlarge", "c7i.large"}, 2048, 4096, "4096 MiB do not fit on c7i.large, which has 3512 left"},
		{[]string{"m6i.xlarge", "c7i.xlarge"}, 2048, 4096, ""},
		{[]string{"m6i.large"}, 127, 512, "CPU 127 is too little"},
		{[]string{"m6i.large"}, 256, 0, "0 MiB are too little"},
		{[]string{"nope"}, 256, 512, ""}, // Check refuses the type
	} {
		err := Capacity{EC2: &EC2{InstanceTypes: test.types}}.Fits(test.cpu, test.memory)
		switch {
		case err == nil && test.refused != "":
			t.Errorf("%v: CPU %d with %d MiB was accepted", test.types, test.cpu, test.memory)
		case err != nil && test.refused == "":
			t.Errorf("%v: CPU %d with %d MiB: %v", test.types, test.cpu, test.memory, err)
		case err != nil && !strings.Contains(err.Error(), test.refused):
			t.Errorf("%v: CPU %d with %d MiB: %q does not say %q", test.types, test.cpu, test.memory, err, test.refused)
		}
	}
}

func TestInstancesRunOneArchitecture(t *testing.T) {
	for _, test := range []struct {
		capacity  Capacity
		want, ami string
	}{
		{Capacity{}, "", ""},
		{Capacity{EC2: &EC2{}}, "", ""},
		{Capacity{EC2: &EC2{InstanceTypes: []string{"c7g.large"}}}, "ARM64", "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"},
		{Capacity{EC2: &EC2{InstanceTypes: []string{"c7i.large"}}}, "X86_64", "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"},
	} {
		if got := test.capacity.Architecture(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.capacity.EC2, got, test.want)
		}
		if got := imageParameter(test.want); test.ami != "" && got != test.ami {
			t.Errorf("%s: image %q, want %q", test.want, got, test.ami)
		}
	}
}

func TestOnlyInstancesNeedTheEndpointsOfECS(t *testing.T) {
	if got := (Capacity{}).Endpoints(); got != nil {
		t.Errorf("Fargate: %v", got)
	}
	if diff := cmp.Diff([]string{"ecs", "ecs-agent", "ecs-telemetry"}, Capacity{EC2: &EC2{}}.Endpoints()); diff != "" {
		t.Errorf("EC2 (-want +got)\n%s", diff)
	}
}

func TestOnlyInstancesRaiseAlarms(t *testing.T) {
	for name, test := range map[string]struct {
		capacity Capacity
		want     []string
	}{
		"Fargate":                            {Capacity{}, nil},
		"a group that grows":                 {Capacity{EC2: &EC2{MinInstances: 1, MaxInstances: 3}}, []string{"cluster-room > 100", "cluster-instances > 2"}},
		"a group that always is at its most": {Capacity{EC2: &EC2{MinInstances: 3, MaxInstances: 3}}, []string{"cluster-room > 100"}},
	} {
		c := &Cluster{Capacity: test.capacity, name: "shop-dev"}
		var got []string
		for _, a := range c.Alarms() {
			got = append(got, fmt.Sprintf("%s > %v", a.ID, a.Threshold))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if graphs := c.Graphs(); (graphs != nil) != (test.want != nil) {
			t.Errorf("%s: %d graphs", name, len(graphs))
		}
	}
}
