package stacks

import (
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"aws-microservices/constructs/database"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/service"
)

var instanceClass = regexp.MustCompile(`^db\.(t3|t4g|m5|m5d|m6g|m6gd|m6i|m6id|m7g|m7i|m8g|r5|r5b|r5d|r6g|r6gd|r6i|r6id|r7g|r7i|r8g|x2g|x2idn|x2iedn|x2iezn)\.(micro|small|medium|large|\d*xlarge)$`)

func (e Environment) validate(p *problems, pl Platform) {
	field := fmt.Sprintf("Environments[%s].", e.Name)
	name(p, field+"Name", e.Name)
	if slices.Contains(reserved, e.Name) {
		p.add(field+"Name", e.Name, "a stack of that name exists already: choose another")
	}
	account(p, field+"AccountID", e.AccountID)
	region(p, field+"Region", e.Region)
	e.validateNames(p, field, pl)
	e.validateNetwork(p, field+"Network.", pl)
	e.validateSizes(p, field, pl)
	e.validateDatabase(p, field+"Database.", pl)
	if e.Domain != nil {
		e.validateDomain(p, field+"Domain.", pl)
	}
	e.validateRoutes(p, field, pl)
	e.validateCapacity(p, field, pl)
	e.validateSleep(p, field+"Sleep.")
	e.validateBackup(p, field+"Backup.", pl)
	if !slices.Contains(logging.RetentionDays, e.LogRetentionDays) {
		p.add(field+"LogRetentionDays", e.LogRetentionDays, "CloudWatch Logs knows %v", logging.RetentionDays)
	}
	for _, address := range e.AlarmEmails {
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			p.add(field+"AlarmEmails", address, "write an address like team@example.com")
		}
	}
	unique(p, field+"AlarmEmails", e.AlarmEmails)
	if e.Production {
		e.validateProduction(p, field, pl)
	}
}

// validateNames refuses names that AWS would refuse for their length once they are put together.
func (e Environment) validateNames(p *problems, field string, pl Platform) {
	prefix := e.prefix(pl)
	if !limit(p, field+"Name", prefix, maxLoadBalancerName, "load balancer") {
		return // whatever it begins is too long as well
	}
	for _, b := range append(slices.Clone(ownBuckets), pl.buckets()...) {
		limit(p, fmt.Sprintf("%sName with bucket %s", field, b), fmt.Sprintf("%s-%s-%s", prefix, b, e.AccountID), maxBucketName, "bucket")
	}
	for _, s := range pl.Services {
		at := fmt.Sprintf("%sName with Services[%s].Name", field, s.Name)
		if s.Kind == service.Web && !limit(p, at, prefix+"-"+s.Name, maxLoadBalancerName, "target group") {
			continue
		}
		limit(p, at, prefix+"-"+s.Name+longestServiceSuffix, maxRoleName, "role")
	}
	for _, q := range pl.Queues {
		limit(p, fmt.Sprintf("%sName with Queues[%s].Name", field, q.Name), prefix+"-"+q.Name+longestQueueSuffix, maxQueueName, "queue")
	}
	for _, d := range pl.Databases {
		database := fmt.Sprintf("%sName with Databases[%s].Name", field, d.Name)
		limit(p, database, prefix+"-"+d.Name+longestReplicaSuffix, maxDatabaseName, "database")
		limit(p, database, prefix+"-"+d.Name+longestDBSuffix, maxRoleName, "role")
	}
}

func (e Environment) validateNetwork(p *problems, field string, pl Platform) {
	if _, err := network.ParseRange(e.Network.CIDR); err != nil {
		*p = append(*p, fmt.Errorf("%sCIDR: %w", field, err))
	}
	zones := e.Network.Zones
	if len(zones) < 2 || len(zones) > network.MaxZones {
		p.add(field+"Zones", zones, "name 2 to %d: a load balancer and a database each stand in two at least", network.MaxZones)
	}
	for _, z := range zones {
		letter, found := strings.CutPrefix(z, e.Region)
		if !found || !zonePattern.MatchString(letter) {
			p.add(field+"Zones", z, "a zone is the region and a letter, e.g. %q", e.Region+"a")
		}
	}
	unique(p, field+"Zones", zones)
	if nats := []network.NAT{"", network.NATNone, network.NATSingle, network.NATPerZone}; !slices.Contains(nats, e.Network.NAT) {
		p.add(field+"NAT", e.Network.NAT, "choose network.NATNone, network.NATSingle or network.NATPerZone")
	}
	for _, s := range pl.Services {
		if s.Internet && (e.Network.NAT == "" || e.Network.NAT == network.NATNone) {
			p.add(field+"NAT", e.Network.NAT, "service %s opens connections to the internet: choose network.NATSingle or network.NATPerZone", s.Name)
		}
	}
}

func (e Environment) validateSizes(p *problems, field string, pl Platform) {
	e.validateSize(p, field+"Size", e.Size, true)
	for _, n := range sortedKeys(e.Sizes) {
		at := fmt.Sprintf("%sSizes[%s]", field, n)
		i := slices.Index(pl.services(), n)
		if i < 0 {
			p.add(at, n, "there is no such service: name one of %s", known(pl.services()))
			continue
		}
		e.validateSize(p, at, e.Sizes[n], pl.Services[i].Kind.LongRunning())
	}
}

func (e Environment) validateSize(p *problems, field string, s Size, counted bool) {
	check := service.CheckSize
	if e.Capacity.EC2 != nil {
		check = e.Capacity.Fits
	}
	p.within(field+": ", check(s.CPU, s.MemoryMiB))
	if !counted {
		if len(s.Scheduled) > 0 {
			p.add(field+".Scheduled", s.Scheduled, "only services that run all the time are scaled: leave it out")
		}
		return
	}
	if s.MinTasks < 1 || s.MaxTasks < s.MinTasks {
		p.add(field+".MinTasks", s.MinTasks, "run at least 1 task and at most MaxTasks, which is %d", s.MaxTasks)
	}
	unique(p, field+".Scheduled", append([]string{"sleep", "wake"}, names(s.Scheduled, func(x service.Scheduled) string { return x.Name })...))
	for _, x := range s.Scheduled {
		at := fmt.Sprintf("%s.Scheduled[%s].", field, x.Name)
		name(p, at+"Name", x.Name)
		schedule(p, at+"Schedule", x.Schedule)
		timeZone(p, at+"TimeZone", x.TimeZone)
		if x.MinTasks < 1 || x.MaxTasks < x.MinTasks {
			p.add(at+"MinTasks", x.MinTasks, "run at least 1 task and at most MaxTasks, which is %d", x.MaxTasks)
		}
	}
}

func (e Environment) validateCapacity(p *problems, field string, pl Platform) {
	p.within(field+"Capacity.", e.Capacity.Check())
	for _, s := range pl.Services {
		at := fmt.Sprintf("Services[%s].Container.", s.Name)
		c := s.Container
		if needs := e.Capacity.Architecture(); needs != "" && string(pl.architecture(s)) != needs {
			p.add(at+"Architecture", pl.architecture(s), "the instances of environment %s are %s: choose instance types of the images' architecture", e.Name, needs)
		}
		if e.Capacity.EC2 != nil && c.EphemeralStorageGiB != 0 {
			p.add(at+"EphemeralStorageGiB", c.EphemeralStorageGiB, "environment %s runs on EC2, where tasks share the instance's disk: leave it out and give EC2.VolumeGiB more", e.Name)
		}
		size := e.SizeOf(s.Name)
		limited := 0
		for _, beside := range c.Sidecars {
			limited += beside.MemoryMiB
		}
		if limited >= size.MemoryMiB && limited > 0 {
			p.add(at+"Sidecars", limited, "their MemoryMiB leave nothing of the task's %d in environment %s: give the task more or them less", size.MemoryMiB, e.Name)
		}
	}
}

func (e Environment) validateSleep(p *problems, field string) {
	if e.Sleep == nil {
		return
	}
	schedule(p, field+"Sleep", e.Sleep.Sleep)
	schedule(p, field+"Wake", e.Sleep.Wake)
	timeZone(p, field+"TimeZone", e.Sleep.TimeZone)
	if e.Production {
		p.add(field+"Sleep", e.Sleep.Sleep, "customers use a production environment at any time: leave Sleep out")
	}
}

// schedule refuses a time that EventBridge and Application Auto Scaling would refuse.
func schedule(p *problems, field, expression string) {
	if err := checkSchedule(expression); err != nil {
		p.add(field, expression, "%v", err)
	}
}

func timeZone(p *problems, field, zone string) {
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		p.add(field, zone, "write a name of the IANA time zone database, like \"Europe/Dublin\"")
	}
}

func (e Environment) validateBackup(p *problems, field string, pl Platform) {
	b := e.Backup
	if b == nil {
		return
	}
	if len(pl.Databases) == 0 {
		p.add(field+"RetentionDays", b.RetentionDays, "there is no database to back up: leave Backup out")
	}
	between(p, field+"RetentionDays", b.RetentionDays, 1, 36500, " days")
	region(p, field+"CopyRegion", b.CopyRegion)
	if b.CopyRegion == e.Region {
		p.add(field+"CopyRegion", b.CopyRegion, "a copy in the environment's own region is lost with it: choose another")
	}
	between(p, field+"CopyRetentionDays", b.CopyRetentionDays, 1, 36500, " days")
}

func (e Environment) validateDatabase(p *problems, field string, pl Platform) {
	if len(pl.Databases) == 0 {
		return
	}
	d := e.Database
	between(p, field+"BackupRetentionDays", d.BackupRetentionDays, 1, 35, " days")
	if d.Serverless != nil {
		e.validateServerless(p, field)
		return
	}
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html
	between(p, field+"Replicas", d.Replicas, 0, 15, " read replicas")
	if !instanceClass.MatchString(d.InstanceClass) {
		p.add(field+"InstanceClass", d.InstanceClass, "choose one that RDS for PostgreSQL offers, e.g. \"db.t4g.micro\": https://aws.amazon.com/rds/postgresql/pricing/")
	}
	between(p, field+"StorageGiB", d.StorageGiB, 20, 65536, " GiB")
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	if d.MaxStorageGiB*10 < d.StorageGiB*11 || d.MaxStorageGiB > 65536 {
		p.add(field+"MaxStorageGiB", d.MaxStorageGiB, "storage autoscaling needs at least a tenth more than StorageGiB, which is %d, and goes to 65536", d.StorageGiB)
	}
	if e.Sleep != nil && d.Replicas > 0 {
		p.add(field+"Replicas", d.Replicas, "RDS does not stop an instance that has replicas, so it could not sleep: leave out one of the two")
	}
}

// validateServerless refuses what Aurora does not offer.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
func (e Environment) validateServerless(p *problems, field string) {
	d := e.Database
	for _, acu := range []struct {
		name        string
		value, from float64
	}{{"Serverless.MinACU", d.Serverless.MinACU, 0}, {"Serverless.MaxACU", d.Serverless.MaxACU, max(1, d.Serverless.MinACU)}} {
		if acu.value < acu.from || acu.value > database.MaxACU || acu.value*2 != float64(int(acu.value*2)) {
			p.add(field+acu.name, acu.value, "choose %v to %d in steps of 0.5", acu.from, database.MaxACU)
		}
	}
	between(p, field+"Replicas", d.Replicas, 0, 15, " readers")
	if d.Proxy && d.Serverless.MinACU == 0 {
		p.add(field+"Proxy", d.Proxy, "its connections keep the database awake, which may pause with Serverless.MinACU 0: leave it out or choose 0.5 or more")
	}
	if d.InstanceClass != "" || d.StorageGiB != 0 || d.MaxStorageGiB != 0 {
		p.add(field+"InstanceClass", d.InstanceClass, "a Serverless database has no class and no storage size: leave InstanceClass, StorageGiB and MaxStorageGiB out")
	}
}

func (e Environment) validateDomain(p *problems, field string, pl Platform) {
	for _, host := range []struct{ name, value string }{{"Name", e.Domain.Name}, {"Zone", e.Domain.Zone}} {
		if !hostPattern.MatchString(host.value) {
			p.add(field+host.name, host.value, "write a host name like \"shop.example.com\"")
		}
	}
	if !under(e.Domain.Name, e.Domain.Zone) {
		p.add(field+"Zone", e.Domain.Zone, "%s is not in it: name the hosted zone that is", e.Domain.Name)
	}
	hosts := []string{e.Domain.Name}
	for _, s := range pl.Services {
		for _, h := range s.Hosts {
			if !under(h, e.Domain.Name) {
				p.add(fmt.Sprintf("Services[%s].Hosts", s.Name), h, "it is not below the Domain of environment %s, %s: viewers could not reach it", e.Name, e.Domain.Name)
			}
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	if len(hosts) > maxCertificateNames {
		p.add(field+"Name", hosts, "a certificate takes %d names, and these are %d: leave some out", maxCertificateNames, len(hosts))
	}
}

// under tells whether a host is a domain or below it.
func under(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// validateRoutes refuses paths that only hosts tell apart where there are none.
func (e Environment) validateRoutes(p *problems, field string, pl Platform) {
	if e.Domain != nil {
		return
	}
	for i, s := range pl.Services {
		for _, other := range pl.Services[:i] {
			if len(s.Hosts)+len(other.Hosts) > 0 && s.Path != "" && other.Path != "" && overlap(s.Path, other.Path) {
				p.add(field+"Domain", "none", "services %s and %s answer under one path for different Hosts: without a Domain there is only one", other.Name, s.Name)
			}
		}
	}
}

// validateProduction refuses what customers should not be exposed to.
func (e Environment) validateProduction(p *problems, field string, pl Platform) {
	if !e.DeletionProtection {
		p.add(field+"DeletionProtection", e.DeletionProtection, "a production environment holds data nobody can make again: set it to true")
	}
	if len(pl.Databases) > 0 && !e.Database.MultiAZ {
		p.add(field+"Database.MultiAZ", e.Database.MultiAZ, "a production database needs a standby: set it to true")
	}
	if e.Database.BackupRetentionDays < 7 && len(pl.Databases) > 0 {
		p.add(field+"Database.BackupRetentionDays", e.Database.BackupRetentionDays, "keep at least 7 days in production")
	}
	if e.LogRetentionDays < 365 {
		p.add(field+"LogRetentionDays", e.LogRetentionDays, "keep at least 365 days in production")
	}
	for _, s := range pl.Services {
		if size := e.SizeOf(s.Name); s.Kind.LongRunning() && size.MinTasks < 2 {
			p.add(fmt.Sprintf("%sSizes[%s].MinTasks", field, s.Name), size.MinTasks, "run at least 2 in production, one for each of two zones")
		}
	}
}

// apart refuses two environments that would meet.
func apart(p *problems, a, b Environment) {
	field := fmt.Sprintf("Environments[%s].", b.Name)
	if a.Name == b.Name {
		p.add(field+"Name", b.Name, "another environment has that name: choose another")
	}
	if a.AccountID == b.AccountID && a.Region == b.Region {
		p.add(field+"AccountID", b.AccountID, "environment %s is in the same account and region, and both would log to /ecs/<service>: give each an account or a region of its own", a.Name)
	}
	ra, errA := netip.ParsePrefix(a.Network.CIDR)
	rb, errB := netip.ParsePrefix(b.Network.CIDR)
	if errA == nil && errB == nil && ra.Overlaps(rb) {
		p.add(field+"Network.CIDR", b.Network.CIDR, "it overlaps %s of environment %s, so the two could never be connected: choose another range", a.Network.CIDR, a.Name)
	}
}
