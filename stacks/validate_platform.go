package stacks

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"aws-microservices/constructs/frontend"
	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/service"
)

var (
	userPattern     = regexp.MustCompile(`^[1-9]\d{0,9}:[1-9]\d{0,9}$`)
	imagePattern    = regexp.MustCompile(`^[a-z0-9]+([._/-][a-z0-9]+)*:[\w][\w.-]{0,127}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// Of S3's safe characters. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
	prefixPattern = regexp.MustCompile(`^([A-Za-z0-9!_.'()-]+/)*$`)
)

// ownBuckets are those that every environment has for itself.
var ownBuckets = []string{"logs", "web"}

// alarmTopic is the topic that every environment has for itself.
const alarmTopic = "alarms"

// deadSuffix ends the name of a queue's dead-letter queue.
const deadSuffix = "-dead"

func (pl Platform) validate(p *problems) {
	name(p, "Platform.Name", pl.Name)
	if !slices.Contains(architectures, pl.Architecture) {
		p.add("Platform.Architecture", pl.Architecture, "choose service.ARM64 or service.X86, whatever the images are built for")
	}
	for _, list := range []struct {
		field string
		names []string
	}{
		{"Databases", pl.databases()},
		{"Queues", pl.queues()},
		{"Topics", pl.topics()},
		{"Buckets", pl.buckets()},
		{"Secrets", pl.secrets()},
		{"Services", pl.services()},
	} {
		unique(p, list.field, list.names)
		for _, n := range list.names {
			name(p, fmt.Sprintf("%s[%s].Name", list.field, n), n)
		}
	}
	if len(pl.Services) == 0 {
		p.add("Services", pl.Services, "declare at least one")
	}
	for _, d := range pl.Databases {
		between(p, fmt.Sprintf("Databases[%s].MajorVersion", d.Name), d.MajorVersion, 14, 18, ", a version of PostgreSQL that RDS offers")
	}
	for _, q := range pl.Queues {
		field := fmt.Sprintf("Queues[%s].", q.Name)
		between(p, field+"VisibilityTimeoutSeconds", q.VisibilityTimeoutSeconds, 0, 43200, " seconds, or 0 for the default of 30")
		between(p, field+"RetentionDays", q.RetentionDays, 0, 14, " days, or 0 for the default of 4")
		between(p, field+"MaxReceives", q.MaxReceives, 0, 1000, " tries, or 0 for the default of 5")
		if strings.HasSuffix(q.Name, deadSuffix) {
			p.add(field+"Name", q.Name, "names that end in %s are those of dead-letter queues: choose another", deadSuffix)
		}
	}
	for _, t := range pl.Topics {
		if t.Name == alarmTopic {
			p.add(fmt.Sprintf("Topics[%s].Name", t.Name), t.Name, "every environment has a topic of that name, for its alarms: choose another")
		}
		pl.validateTopic(p, t)
	}
	for _, b := range pl.Buckets {
		field := fmt.Sprintf("Buckets[%s].", b.Name)
		between(p, field+"ExpireDays", b.ExpireDays, 0, 36500, " days, or 0 to keep for ever")
		if slices.Contains(ownBuckets, b.Name) {
			p.add(field+"Name", b.Name, "every environment has a bucket of that name already: choose another")
		}
	}
	for _, s := range pl.Secrets {
		between(p, fmt.Sprintf("Secrets[%s].RotateDays", s.Name), s.RotateDays, 0, 1000, " days, or 0 for a value that a person puts in")
	}
	for _, s := range pl.Services {
		pl.validateService(p, s)
	}
	pl.validatePaths(p)
	pl.validateConsumers(p)
	pl.validateOwners(p)
	pl.validateCalls(p)
}

// validateTopic refuses a topic whose messages would reach nobody, or not in the order they promise.
func (pl Platform) validateTopic(p *problems, t Topic) {
	field := fmt.Sprintf("Topics[%s].Queues", t.Name)
	linked(p, field, "queue", t.Queues, pl.queues())
	if len(t.Queues) == 0 {
		p.add(field, t.Queues, "nobody would get what is published: name one of %s", known(pl.queues()))
	}
	var ordered []string
	for _, q := range pl.Queues {
		if q.FIFO && slices.Contains(t.Queues, q.Name) {
			ordered = append(ordered, q.Name)
		}
	}
	if len(ordered) > 0 && len(ordered) < len(t.Queues) {
		p.add(field, t.Queues, "only %s is FIFO: a topic feeds FIFO queues or standard ones, so make them alike", strings.Join(ordered, ", "))
	}
}

// --- one service

var architectures = []service.Architecture{service.ARM64, service.X86}

func (pl Platform) validateService(p *problems, s Service) {
	field := fmt.Sprintf("Services[%s].", s.Name)
	if !slices.Contains(service.Kinds, s.Kind) {
		p.add(field+"Kind", s.Kind, "choose service.Web, service.Internal, service.Worker, service.Job or service.Task")
		return // nothing else can be told from it
	}
	switch s.Kind {
	case service.Web:
		if s.Path != ingress.Root && (!pathPattern.MatchString(s.Path) || !strings.HasPrefix(s.Path, frontend.APIPath+"/")) {
			p.add(field+"Path", s.Path, "a Web service answers under a path below %s, e.g. %q, or under \"/\" for everything", frontend.APIPath, frontend.APIPath+"/"+s.Name)
		}
	case service.Worker:
		if s.Consumes == "" {
			p.add(field+"Consumes", s.Consumes, "a Worker works on the messages of a queue: name one of %s", known(pl.queues()))
		}
		pl.validateBacklog(p, field+"Backlog", s)
	case service.Job:
		schedule(p, field+"Schedule", s.Schedule)
		if slices.Contains(pl.queues(), s.Name) {
			p.add(field+"Name", s.Name, "a queue has that name, and both have dead letters named after it: choose another")
		}
	}
	for _, only := range []struct {
		name  string
		set   bool
		value any
		kind  service.Kind
	}{
		{"Path", s.Path != "", s.Path, service.Web},
		{"Hosts", len(s.Hosts) > 0, s.Hosts, service.Web},
		{"Schedule", s.Schedule != "", s.Schedule, service.Job},
		{"Consumes", s.Consumes != "", s.Consumes, service.Worker},
		{"Backlog", s.Backlog != service.Backlog{}, s.Backlog, service.Worker},
		{"Owns", len(s.Owns) > 0, s.Owns, service.Task},
		{"Requests.HealthPath", s.Requests.HealthPath != "", s.Requests.HealthPath, service.Web},
		{"Requests.SlowMillis", s.Requests.SlowMillis != 0, s.Requests.SlowMillis, service.Web},
		{"Requests.SlowStartSeconds", s.Requests.SlowStartSeconds != 0, s.Requests.SlowStartSeconds, service.Web},
		{"Requests.StickySeconds", s.Requests.StickySeconds != 0, s.Requests.StickySeconds, service.Web},
		{"Requests.PerMinute", s.Requests.PerMinute != 0, s.Requests.PerMinute, service.Web},
	} {
		if only.set && s.Kind != only.kind {
			p.add(field+only.name, only.value, "only a service of kind %q has it: leave it out or change the kind", only.kind)
		}
	}
	for _, h := range s.Hosts {
		if !hostPattern.MatchString(h) {
			p.add(field+"Hosts", h, "write a host name like \"api.shop.example.com\"")
		}
	}
	unique(p, field+"Hosts", s.Hosts)
	s.validateRequests(p, field+"Requests.")
	s.validateContainer(p, field+"Container.")
	pl.validateLinks(p, field, s)
}

// validateBacklog refuses a worker that could not keep its promise.
func (pl Platform) validateBacklog(p *problems, field string, s Service) {
	i := slices.Index(pl.queues(), s.Consumes)
	if i < 0 {
		return // said already
	}
	p.within(field+": ", s.Backlog.Check(cmp.Or(pl.Queues[i].VisibilityTimeoutSeconds, 30)))
	// A message that takes longer than any stop is received again by another task, after its visibility timeout.
	stop := cmp.Or(s.Container.StopTimeoutSeconds, service.StopTimeoutSeconds(s.Kind, s.Requests))
	if m := s.Backlog.MessageSeconds; m > float64(stop) && m <= 120 {
		p.add(strings.TrimSuffix(field, "Backlog")+"Container.StopTimeoutSeconds", s.Container.StopTimeoutSeconds,
			"a message takes %v seconds, and a task that stops should finish it: choose %v to 120", m, math.Ceil(m))
	}
}

func (s Service) validateRequests(p *problems, field string) {
	r := s.Requests
	if r.MaxSeconds != 0 && !s.Kind.Listens() {
		p.add(field+"MaxSeconds", r.MaxSeconds, "a service of kind %q answers no requests: leave it out", s.Kind)
	}
	between(p, field+"MaxSeconds", r.MaxSeconds, 0, 60, " seconds, or 0 for the default of 30")
	between(p, field+"SlowMillis", r.SlowMillis, 0, 60000, " milliseconds, or 0 for the default of 1000")
	if r.SlowStartSeconds != 0 {
		between(p, field+"SlowStartSeconds", r.SlowStartSeconds, 30, 900, " seconds, or 0 for none")
	}
	between(p, field+"StickySeconds", r.StickySeconds, 0, 604800, " seconds, or 0 for none")
	if r.PerMinute < 0 {
		p.add(field+"PerMinute", r.PerMinute, "write how many requests a minute one task answers, or 0 not to scale on them")
	}
	if r.HealthPath != "" && !strings.HasPrefix(r.HealthPath, "/") {
		p.add(field+"HealthPath", r.HealthPath, "a path begins with /")
	}
}

func (s Service) validateContainer(p *problems, field string) {
	c := s.Container
	if c.Architecture != "" && !slices.Contains(architectures, c.Architecture) {
		p.add(field+"Architecture", c.Architecture, "choose service.ARM64 or service.X86, or leave it out for the platform's")
	}
	if !slices.Contains([]service.Protocol{"", service.HTTP, service.GRPC, service.TCP}, c.Protocol) {
		p.add(field+"Protocol", c.Protocol, "choose service.HTTP, service.GRPC or service.TCP")
	}
	if s.Kind == service.Web && c.Protocol != "" && c.Protocol != service.HTTP {
		p.add(field+"Protocol", c.Protocol, "a Web service answers HTTP: leave it out or make the service Internal")
	}
	if !s.Kind.Listens() && (c.Port != 0 || c.Protocol != "") {
		p.add(field+"Port", c.Port, "a service of kind %q has no port: leave Port and Protocol out", s.Kind)
	}
	// Ports below are for root, and Service Connect's proxy listens on 15000 and 15001.
	if c.Port != 0 && (c.Port < 1024 || c.Port > 65535 || c.Port == 15000 || c.Port == 15001) {
		p.add(field+"Port", c.Port, "choose 1024 to 65535, but not 15000 or 15001: what is not root cannot listen below")
	}
	if c.HealthCommand != nil && !s.Kind.LongRunning() {
		p.add(field+"HealthCommand", c.HealthCommand, "a service of kind %q is watched by how it ends: leave it out", s.Kind)
	}
	if !slices.Equal(c.HealthCommand, service.NoHealthCommand) {
		healthCommand(p, field+"HealthCommand", c.HealthCommand)
	}
	if c.OpenFiles != 0 {
		between(p, field+"OpenFiles", c.OpenFiles, 1024, 1048576, ", or 0 for the default of 65536")
	}
	if c.EphemeralStorageGiB != 0 {
		between(p, field+"EphemeralStorageGiB", c.EphemeralStorageGiB, 21, 200, " GiB, or 0 for Fargate's 20")
	}
	between(p, field+"StopTimeoutSeconds", c.StopTimeoutSeconds, 0, 120, " seconds, or 0 for the default")
	if least := service.StopTimeoutSeconds(s.Kind, s.Requests); s.Kind.Listens() && c.StopTimeoutSeconds != 0 && c.StopTimeoutSeconds < least {
		p.add(field+"StopTimeoutSeconds", c.StopTimeoutSeconds, "a request may take %d seconds, and a task that stops must still answer it: choose %d or more",
			s.Requests.TimeoutSeconds(), least)
	}
	user(p, field+"User", c.User)
	writable(p, field+"Writable", c.Writable)
	environmentVariables(p, field+"Environment", c.Environment)
	s.validateSidecars(p, field+"Sidecars")
}

func (s Service) validateSidecars(p *problems, list string) {
	sidecars := s.Container.Sidecars
	containers := names(sidecars, func(c service.Sidecar) string { return c.Name })
	unique(p, list, append([]string{s.Name}, containers...))
	after := map[string][]string{}
	for _, c := range sidecars {
		field := fmt.Sprintf("%s[%s].", list, c.Name)
		name(p, field+"Name", c.Name)
		if !imagePattern.MatchString(c.Image) {
			p.add(field+"Image", c.Image, "write a repository of the platform and a tag, like \"otel-collector:0.139.0\"")
		}
		healthCommand(p, field+"HealthCommand", c.HealthCommand)
		user(p, field+"User", c.User)
		writable(p, field+"Writable", c.Writable)
		environmentVariables(p, field+"Environment", c.Environment)
		if c.MemoryMiB != 0 && c.MemoryMiB < 6 {
			p.add(field+"MemoryMiB", c.MemoryMiB, "a container takes 6 MiB at least; leave it out for no limit of its own")
		}
		if c.Init && c.Optional {
			p.add(field+"Optional", c.Optional, "the service waits until an Init container has ended well: leave out one of the two")
		}
		if c.Init && c.HealthCommand != nil {
			p.add(field+"HealthCommand", c.HealthCommand, "an Init container is watched by how it ends: leave it out")
		}
		if !c.Init && !s.Kind.LongRunning() {
			p.add(field+"Init", c.Init, "a service of kind %q ends when its own container does: only Init containers go before it", s.Kind)
		}
		linked(p, field+"After", "sidecar of the service", c.After, containers)
		after[c.Name] = c.After
	}
	circles(p, after, func(name string) string { return fmt.Sprintf("%s[%s].After", list, name) }, "none of them could start")
}

func healthCommand(p *problems, field string, command []string) {
	if len(command) > 0 && (len(command) < 2 || command[0] != "CMD" && command[0] != "CMD-SHELL") {
		p.add(field, command, "begin with \"CMD\" or \"CMD-SHELL\", and the command after it")
	}
}

func user(p *problems, field, value string) {
	if value != "" && !userPattern.MatchString(value) {
		p.add(field, value, "write the numbers of a user and a group that are not root's, like \"1000:1000\"")
	}
}

func writable(p *problems, field string, paths []string) {
	for _, w := range paths {
		if !path.IsAbs(w) || path.Clean(w) != w || w == "/" {
			p.add(field, w, "write a directory below / without a slash at its end, like \"/var/cache\"")
		}
	}
	unique(p, field, paths)
}

func environmentVariables(p *problems, field string, variables map[string]string) {
	for _, n := range sortedKeys(variables) {
		if !variablePattern.MatchString(n) {
			p.add(field, n, "begin with a letter or _, and go on with letters, digits and _")
		}
	}
}

// --- links

func (pl Platform) validateLinks(p *problems, field string, s Service) {
	linked(p, field+"Uses", "database", s.Uses, pl.databases())
	linked(p, field+"Reads", "database", s.Reads, pl.databases())
	linked(p, field+"Owns", "database", s.Owns, pl.databases())
	once(p, field+"Reads", "database", slices.Concat(s.Uses, s.Reads, s.Owns), "Uses, Reads and Owns")
	linked(p, field+"SendsTo", "queue", s.SendsTo, pl.queues())
	if s.Consumes != "" {
		linked(p, field+"Consumes", "queue", []string{s.Consumes}, pl.queues())
	}
	once(p, field+"SendsTo", "queue", append(slices.Clone(s.SendsTo), s.Consumes), "SendsTo and Consumes: it would feed itself")
	linked(p, field+"Publishes", "topic", s.Publishes, pl.topics())
	linked(p, field+"Secrets", "secret", s.Secrets, pl.secrets())
	linked(p, field+"Calls", "service", s.Calls, pl.services())
	var buckets []string
	for _, list := range []struct {
		field   string
		objects []string
	}{{"ReadsFrom", s.ReadsFrom}, {"WritesTo", s.WritesTo}} {
		for _, o := range list.objects {
			bucket, prefix, found := strings.Cut(o, "/")
			if !found || !prefixPattern.MatchString(prefix) {
				p.add(field+list.field, o, "write a bucket and the beginning of its objects' keys, like \"media/pictures/\", or \"media/\" for all")
				continue
			}
			linked(p, field+list.field, "bucket", []string{bucket}, pl.buckets())
			buckets = append(buckets, bucket)
		}
		unique(p, field+list.field, list.objects)
	}
	if !slices.Equal(s.ReadsFrom, s.WritesTo) {
		once(p, field+"WritesTo", "bucket", buckets, "ReadsFrom and WritesTo: name the same prefix in both, or give each a bucket")
	}
}

// linked refuses what does not exist and what is named twice.
func linked(p *problems, field, kind string, used, existing []string) {
	for _, n := range used {
		if !slices.Contains(existing, n) {
			p.add(field, n, "there is no such %s: name one of %s, or declare it", kind, known(existing))
		}
	}
	unique(p, field, used)
}

// once refuses what several links of a service name, whose environment variables would be the same.
func once(p *problems, field, kind string, used []string, lists string) {
	seen := map[string]bool{}
	for _, n := range used {
		if seen[n] && n != "" {
			p.add(field, n, "the %s is in more than one of %s", kind, lists)
		}
		seen[n] = true
	}
}

// validatePaths refuses paths of which a request could match two.
func (pl Platform) validatePaths(p *problems) {
	for i, s := range pl.Services {
		for _, other := range pl.Services[:i] {
			if s.Path != "" && other.Path != "" && sameHosts(s, other) && overlap(s.Path, other.Path) {
				p.add(fmt.Sprintf("Services[%s].Path", s.Name), s.Path,
					"service %s answers under %q already: choose paths of which none is below the other", other.Name, other.Path)
			}
		}
	}
}

// sameHosts tells whether a request could be for a host of both. A service with hosts comes before one without.
func sameHosts(a, b Service) bool {
	return len(a.Hosts) == 0 && len(b.Hosts) == 0 || slices.ContainsFunc(a.Hosts, func(h string) bool { return slices.Contains(b.Hosts, h) })
}

// overlap tells whether a request could match both paths. "/" takes what is left, so that only another "/" is in its way.
func overlap(a, b string) bool {
	if a == ingress.Root || b == ingress.Root {
		return a == b
	}
	return ingress.Overlap(a, b)
}

// validateConsumers refuses a queue that nobody works on, or that two workers would take messages from each other.
func (pl Platform) validateConsumers(p *problems) {
	for _, q := range pl.Queues {
		field := fmt.Sprintf("Queues[%s]", q.Name)
		var workers []string
		for _, s := range pl.Services {
			if s.Consumes == q.Name {
				workers = append(workers, s.Name)
			}
		}
		if len(workers) == 0 {
			p.add(field, q.Name, "no Worker consumes it: its messages would only grow old")
		}
		if len(workers) > 1 {
			p.add(field, q.Name, "%s all consume it, and each message reaches only one of them: give each a queue of its own", strings.Join(workers, ", "))
		}
	}
}

// validateOwners refuses a database that services log in to although nobody makes their roles.
func (pl Platform) validateOwners(p *problems) {
	for _, d := range pl.Databases {
		var owners []string
		used := false
		for _, s := range pl.Services {
			if slices.Contains(s.Owns, d.Name) {
				owners = append(owners, s.Name)
			}
			used = used || slices.Contains(s.Uses, d.Name) || slices.Contains(s.Reads, d.Name)
		}
		field := fmt.Sprintf("Databases[%s]", d.Name)
		if used && len(owners) == 0 {
			p.add(field, d.Name, "no Task owns it, and nobody else may make the roles that its services log in as: declare one with Owns")
		}
		if len(owners) > 1 {
			p.add(field, d.Name, "%s all own it, and would undo each other's changes: leave it to one", strings.Join(owners, ", "))
		}
	}
}

// validateCalls refuses calls that cannot arrive, and circles, in which no service could be started first.
func (pl Platform) validateCalls(p *problems) {
	calls := map[string][]string{}
	for _, s := range pl.Services {
		field := fmt.Sprintf("Services[%s].Calls", s.Name)
		calls[s.Name] = s.Calls
		for _, called := range s.Calls {
			i := slices.Index(pl.services(), called)
			if i >= 0 && !pl.Services[i].Kind.Listens() {
				p.add(field, called, "it is of kind %q: only Web and Internal services answer", pl.Services[i].Kind)
			}
		}
		if len(s.Calls) > 0 && !s.Kind.LongRunning() {
			p.add(field, s.Calls, "Service Connect does not reach a %s: send to a queue instead", s.Kind)
		}
	}
	circles(p, calls, func(name string) string { return fmt.Sprintf("Services[%s].Calls", name) }, "break it with a queue")
}

// circles refuses things that each come before the other.
func circles(p *problems, before map[string][]string, field func(name string) string, remedy string) {
	reported := map[string]bool{}
	for _, n := range sortedKeys(before) {
		circle := findCircle(before, n, nil)
		if circle == nil {
			continue
		}
		key := strings.Join(slices.Sorted(slices.Values(circle)), " ")
		if !reported[key] {
			reported[key] = true
			p.add(field(n), before[n], "this goes in a circle: %s: %s", strings.Join(append(circle, circle[0]), " -> "), remedy)
		}
	}
}

// findCircle returns a way from one back to itself, nil if there is none.
func findCircle(next map[string][]string, name string, way []string) []string {
	if i := slices.Index(way, name); i >= 0 {
		if i == 0 {
			return way
		}
		return nil // a circle further on, reported from one of its own
	}
	for _, n := range next[name] {
		if circle := findCircle(next, n, append(slices.Clone(way), name)); circle != nil {
			return circle
		}
	}
	return nil
}

// --- the names of what is declared

func (pl Platform) databases() []string {
	return names(pl.Databases, func(d Database) string { return d.Name })
}
func (pl Platform) queues() []string {
	return names(pl.Queues, func(q Queue) string { return q.Name })
}
func (pl Platform) topics() []string {
	return names(pl.Topics, func(t Topic) string { return t.Name })
}
func (pl Platform) buckets() []string {
	return names(pl.Buckets, func(b Bucket) string { return b.Name })
}
func (pl Platform) secrets() []string {
	return names(pl.Secrets, func(s Secret) string { return s.Name })
}
func (pl Platform) services() []string {
	return names(pl.Services, func(s Service) string { return s.Name })
}
