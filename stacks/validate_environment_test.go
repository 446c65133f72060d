package stacks

import (
	"testing"

	"aws-microservices/constructs/database"
	"aws-microservices/constructs/service"
	"aws-microservices/constructs/sleep"
)

func TestTheClockIsUnderstood(t *testing.T) {
	refuses(t, []mistake{
		{
			"a sleep without a time",
			func(c *Config) { c.Environments[dev].Sleep = &sleep.Hours{Wake: "cron(0 7 ? * MON-FRI *)"} },
			`Environments[dev].Sleep.Sleep is "": write rate(1 hour) or cron(minutes hours day-of-month month day-of-week year)`,
		},
		{
			"a time zone that is none",
			func(c *Config) { c.Environments[dev].Sleep.TimeZone = "Dublin" },
			`Environments[dev].Sleep.TimeZone is "Dublin": write a name of the IANA time zone database, like "Europe/Dublin"`,
		},
		{
			"production asleep",
			func(c *Config) {
				c.Environments[prod].Database.Replicas, c.Environments[prod].Sleep = 0, c.Environments[dev].Sleep
			},
			`Environments[prod].Sleep.Sleep is "cron(0 20 ? * MON-FRI *)": customers use a production environment at any time: leave Sleep out`,
		},
		{
			"a database that could not sleep",
			func(c *Config) { c.Environments[dev].Database.Replicas = 1 },
			`Environments[dev].Database.Replicas is 1: RDS does not stop an instance that has replicas, so it could not sleep: leave out one of the two`,
		},
		{
			"a scheduled size that is none",
			func(c *Config) {
				c.Environments[dev].Size.Scheduled = []service.Scheduled{{Name: "sale", Schedule: "cron(0 8 * * ? *)", MinTasks: 3, MaxTasks: 2}}
			},
			`Environments[dev].Size.Scheduled[sale].MinTasks is 3: run at least 1 task and at most MaxTasks, which is 2`,
		},
		{
			"a scheduled size named like sleeping",
			func(c *Config) {
				c.Environments[dev].Size.Scheduled = []service.Scheduled{{Name: "wake", Schedule: "cron(0 8 * * ? *)", MinTasks: 1, MaxTasks: 2}}
			},
			`Environments[dev].Size.Scheduled is "wake": it is there twice: leave one out or rename it`,
		},
		{
			"a job with a scheduled size",
			func(c *Config) {
				c.Environments[dev].Sizes = map[string]Size{"report": {CPU: 256, MemoryMiB: 512, Scheduled: []service.Scheduled{{Name: "sale"}}}}
			},
			`Environments[dev].Sizes[report].Scheduled is [{sale   0 0}]: only services that run all the time are scaled: leave it out`,
		},
	})
}

func TestDatabasesAreWhatAWSOffers(t *testing.T) {
	serverless := func(minACU, maxACU float64) func(*Config) {
		return func(c *Config) {
			c.Environments[dev].Database = DatabaseSize{
				Serverless: &database.Serverless{MinACU: minACU, MaxACU: maxACU}, BackupRetentionDays: 1,
			}
		}
	}
	refuses(t, []mistake{
		{
			"a serverless database with a class",
			func(c *Config) { c.Environments[dev].Database.Serverless = &database.Serverless{MinACU: 0, MaxACU: 2} },
			`Environments[dev].Database.InstanceClass is "db.t4g.micro": a Serverless database has no class and no storage size: leave InstanceClass, StorageGiB and MaxStorageGiB out`,
		},
		{"a third of a capacity unit", serverless(0.3, 2), `Environments[dev].Database.Serverless.MinACU is 0.3: choose 0 to 256 in steps of 0.5`},
		{"less at most than at least", serverless(4, 2), `Environments[dev].Database.Serverless.MaxACU is 2: choose 4 to 256 in steps of 0.5`},
		{"more than Aurora has", serverless(0, 300), `Environments[dev].Database.Serverless.MaxACU is 300: choose 1 to 256 in steps of 0.5`},
		{
			"a proxy that keeps a database awake",
			func(c *Config) { serverless(0, 2)(c); c.Environments[dev].Database.Proxy = true },
			`Environments[dev].Database.Proxy is true: its connections keep the database awake, which may pause with Serverless.MinACU 0: leave it out or choose 0.5 or more`,
		},
		{
			"too many replicas",
			func(c *Config) { c.Environments[prod].Database.Replicas = 16 },
			`Environments[prod].Database.Replicas is 16: choose 0 to 15 read replicas`,
		},
		{
			"a copy in the same region",
			func(c *Config) { c.Environments[prod].Backup.CopyRegion = "eu-west-1" },
			`Environments[prod].Backup.CopyRegion is "eu-west-1": a copy in the environment's own region is lost with it: choose another`,
		},
		{
			"a backup kept for no day",
			func(c *Config) { c.Environments[prod].Backup.RetentionDays = 0 },
			`Environments[prod].Backup.RetentionDays is 0: choose 1 to 36500 days`,
		},
	})
}
