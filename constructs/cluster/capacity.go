package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Capacity says what services run on: Fargate or, with EC2, instances of our own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
type Capacity struct {
	// OnDemandBase is how many tasks of each service always run on demand; with EC2, how many instances. Defaults to 0.
	OnDemandBase int
	// SpotPercent is how much of the rest runs on Spot, which costs about 70 % less and may be taken away with two minutes'
	// notice. Defaults to 0.
	SpotPercent int
	// EC2 are the instances the services run on. Defaults to none: they run on Fargate.
	EC2 *EC2
}

// EC2 is a group of instances that grows and shrinks with the tasks there are to run.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
type EC2 struct {
	// InstanceTypes are what is launched, all of one CPU architecture and best of a similar size: on demand the first that
	// can be had, on Spot the one least likely to be taken away. Spot needs two at least. The families are t3, t4g, m6i, m6g,
	// m7i, m7g, c7i, c7g, r7i and r7g, the sizes large to 4xlarge (t3 and t4g: to 2xlarge). t3 and t4g hold 2 or 3 tasks each,
	// for want of network interfaces; the others hold 10 and more.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/eni-trunking-supported-instance-types.html
	InstanceTypes []string
	// MinInstances always run. Defaults to 0: the first task waits some minutes for its instance.
	MinInstances int
	// MaxInstances bounds how many run. At most 5000.
	MaxInstances int
	// VolumeGiB is the size of an instance's disk, which its images, logs and tasks share.
	// Defaults to 30, the least: it is the size of the image of the system. At most 16384.
	VolumeGiB int
}

// Share is one row of a capacity provider strategy.
type Share struct {
	Provider     string
	Base, Weight int
}

const (
	defaultVolumeGiB = 30
	// reservedMiB is kept from tasks, for the system and the agents.
	reservedMiB = 256
	// kernelPercent is what the kernel keeps to itself, so that ECS never gets to see it: 6 to 8 % of small instances, less of
	// larger ones. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html
	kernelPercent = 8
)

// families are the instance types services may run on.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html
var families = []struct {
	name, architecture string
	gibPerVCPU         int
	largest            string
}{
	{"t3", "X86_64", 4, "2xlarge"},
	{"t4g", "ARM64", 4, "2xlarge"},
	{"m6i", "X86_64", 4, "4xlarge"},
	{"m6g", "ARM64", 4, "4xlarge"},
	{"m7i", "X86_64", 4, "4xlarge"},
	{"m7g", "ARM64", 4, "4xlarge"},
	{"c7i", "X86_64", 2, "4xlarge"},
	{"c7g", "ARM64", 2, "4xlarge"},
	{"r7i", "X86_64", 8, "4xlarge"},
	{"r7g", "ARM64", 8, "4xlarge"},
}

// sizes are the same in every family, in ascending order.
var sizes = []struct {
	name  string
	vCPUs int
}{{"large", 2}, {"xlarge", 4}, {"2xlarge", 8}, {"4xlarge", 16}}

// instance is what an instance type offers to tasks.
type instance struct {
	architecture string
	// cpu in units of 1/1024 vCPU, and memory.
	cpu, memoryMiB int
}

// lookUp finds an instance type by its name, e.g. "m7g.large".
func lookUp(instanceType string) (i instance, known bool) {
	family, size, _ := strings.Cut(instanceType, ".")
	for _, f := range families {
		for _, s := range sizes {
			if f.name == family && s.name == size {
				return instance{
					architecture: f.architecture,
					cpu:          s.vCPUs * 1024,
					memoryMiB:    s.vCPUs*f.gibPerVCPU*1024*(100-kernelPercent)/100 - reservedMiB,
				}, true
			}
			if s.name == f.largest {
				break
			}
		}
	}
	return instance{}, false
}

// Shares returns the capacity as a strategy for the services of a cluster. Providers that would get nothing are left out.
func (c Capacity) Shares(cluster string) []Share {
	if c.EC2 != nil {
		// Its Auto Scaling group tells on demand from Spot.
		return []Share{{Provider: providerName(cluster), Weight: 100}}
	}
	var shares []Share
	if c.SpotPercent < 100 || c.OnDemandBase > 0 {
		shares = append(shares, Share{Provider: "FARGATE", Base: c.OnDemandBase, Weight: 100 - c.SpotPercent})
	}
	if c.SpotPercent > 0 {
		shares = append(shares, Share{Provider: "FARGATE_SPOT", Weight: c.SpotPercent})
	}
	return shares
}

// providerName names the capacity provider of a cluster's instances. AWS refuses names that begin with aws, ecs or fargate,
// which a cluster's may.
func providerName(cluster string) string { return "ec2-" + cluster }

// Check refuses what AWS would refuse, all of it at once. Each of the joined errors begins with the field's name.
func (c Capacity) Check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.SpotPercent < 0 || c.SpotPercent > 100 {
		refuse("SpotPercent is %d: choose 0 to 100 percent", c.SpotPercent)
	}
	if c.EC2 == nil {
		if c.OnDemandBase < 0 || c.OnDemandBase > 100000 {
			refuse("OnDemandBase is %d: choose 0 to 100000 tasks", c.OnDemandBase)
		}
		return errors.Join(errs...)
	}
	e := c.EC2
	e.checkTypes(refuse)
	if len(e.InstanceTypes) == 1 && c.SpotPercent > 0 {
		refuse("EC2.InstanceTypes is %q: Spot may run out of one type: name another of its size, or set SpotPercent to 0",
			e.InstanceTypes[0])
	}
	if e.MaxInstances < 1 || e.MaxInstances > 5000 {
		refuse("EC2.MaxInstances is %d: choose 1 to 5000 instances", e.MaxInstances)
	}
	if e.MinInstances < 0 || e.MinInstances > e.MaxInstances {
		refuse("EC2.MinInstances is %d: choose 0 to MaxInstances, which is %d", e.MinInstances, e.MaxInstances)
	}
	if c.OnDemandBase < 0 || c.OnDemandBase > e.MaxInstances {
		refuse("OnDemandBase is %d: with EC2 it counts instances: choose 0 to EC2.MaxInstances, which is %d",
			c.OnDemandBase, e.MaxInstances)
	}
	if e.VolumeGiB != 0 && (e.VolumeGiB < defaultVolumeGiB || e.VolumeGiB > 16384) {
		refuse("EC2.VolumeGiB is %d: choose %d to 16384 GiB, or 0 for the default of %[2]d", e.VolumeGiB, defaultVolumeGiB)
	}
	return errors.Join(errs...)
}

func (e *EC2) checkTypes(refuse func(string, ...any)) {
	if len(e.InstanceTypes) == 0 {
		refuse(`EC2.InstanceTypes is empty: name at least one, e.g. "m7g.large"`)
	}
	var first string // of the types that are known: all are to be of its architecture
	for i, t := range e.InstanceTypes {
		found, known := lookUp(t)
		if !known {
			refuse("EC2.InstanceTypes is %q: choose from %s", t, offered())
			continue
		}
		if slices.Contains(e.InstanceTypes[:i], t) {
			refuse("EC2.InstanceTypes is %q: it is there twice: leave one out", t)
			continue
		}
		if first == "" {
			first = t
		}
		if of, _ := lookUp(first); of.architecture != found.architecture {
			refuse("EC2.InstanceTypes is %q: it is %s but %s is %s, and an image runs on one of them only: name types of one architecture",
				t, found.architecture, first, of.architecture)
		}
	}
}

// offered lists the instance types for a person to choose from.
func offered() string {
	list := make([]string, len(families))
	for i, f := range families {
		list[i] = fmt.Sprintf("%s.large to %s", f.name, f.largest)
	}
	return strings.Join(list, ", ")
}

// Architecture is the one CPU architecture images must be made for, "ARM64" or "X86_64". Empty on Fargate, which has both.
func (c Capacity) Architecture() string {
	if c.EC2 == nil || len(c.EC2.InstanceTypes) == 0 {
		return ""
	}
	i, _ := lookUp(c.EC2.InstanceTypes[0])
	return i.architecture
}

// Endpoints are the AWS services that instances talk to, beside those that tasks do. None on Fargate.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
func (c Capacity) Endpoints() []string {
	if c.EC2 == nil {
		return nil
	}
	return []string{"ecs", "ecs-agent", "ecs-telemetry"}
}

// Fits refuses a task that is too large for any of the instance types: which of them is launched is not for the task to say.
// On EC2 tasks may have any CPU and memory; Fargate's pairs mean nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size
func (c Capacity) Fits(cpu, memoryMiB int) error {
	if c.EC2 == nil {
		return nil
	}
	const remedy = "make the task smaller, or choose larger instance types"
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if cpu < 128 {
		refuse("CPU %d is too little: give a task 128 units at least", cpu)
	}
	if memoryMiB < 6 {
		refuse("%d MiB are too little: give a task 6 at least", memoryMiB)
	}
	for _, t := range c.EC2.InstanceTypes {
		i, known := lookUp(t)
		if !known {
			continue // Check says so
		}
		if cpu > i.cpu {
			refuse("CPU %d does not fit on %s, which has %d: %s", cpu, t, i.cpu, remedy)
		}
		if memoryMiB > i.memoryMiB {
			refuse("%d MiB do not fit on %s, which has %d left for tasks: %s", memoryMiB, t, i.memoryMiB, remedy)
		}
	}
	return errors.Join(errs...)
}
