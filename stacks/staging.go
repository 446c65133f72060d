package stacks

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/network"
)

// Staging is production in small: the same shape, so that what works here works there.
var Staging = Environment{
	Name:      "staging",
	AccountID: "777788889999",
	Region:    "eu-west-1",
	Network: Network{
		CIDR:  "10.20.0.0/16",
		Zones: []string{"eu-west-1a", "eu-west-1b"},
		NAT:   network.NATSingle,
	},
	Capacity: cluster.Capacity{OnDemandBase: 1, SpotPercent: 100},
	Size:     Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 4},
	Database: DatabaseSize{
		InstanceClass:       "db.t4g.small",
		StorageGiB:          20,
		MaxStorageGiB:       100,
		MultiAZ:             true,
		Replicas:            1,
		Proxy:               true,
		BackupRetentionDays: 7,
	},
	LogRetentionDays: 90,
	AlarmEmails:      []string{"platform-team@example.com"},
}
