package live_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/live/stack"
)

var update = flag.Bool("update", false, "renew the plans in internal/planreview/testdata")

// constructs are the parts of dev that the plans below change; what they refer to comes along.
var constructs = []string{
	"dev/services/payments/", "dev/queues/mail/", "dev/buckets/media/", "dev/databases/shop/instance",
	"dev/secrets/payment-provider/",
	"dev/key/", "dev/frontend/edge-key/", "dev/network/endpoint-ingress",
}

// plans are changes somebody could make to a part of dev that exists.
var plans = []struct {
	name   string
	change func(p part)
}{
	{"unchanged", func(part) {}},
	{"cpu", func(p part) {
		task := p.at("dev/services/payments/task-definition")
		task["cpu"], task["memory"] = "1024", "2048"
		text := task["container_definitions"].(string)
		task["container_definitions"] = strings.Replace(text, `"stopTimeout":40`, `"stopTimeout":90`, 1)
	}},
	{"service", func(p part) { p.copy("payments", "refunds") }},
	{"queue", func(p part) { p.remove("dev/queues/mail/") }},
	{"database", func(p part) {
		db := p.at("dev/databases/shop/instance")
		db["storage_encrypted"], db["deletion_protection"], db["backup_retention_period"] = false, false, 1
		db["instance_class"], db["multi_az"] = "db.m7g.large", true
		delete(db, "kms_key_id")
	}},
	{"bucket", func(p part) {
		p.at("dev/buckets/media/bucket")["force_destroy"] = true
		p.at("dev/buckets/media/versioning")["versioning_configuration"] = map[string]any{"status": "Suspended"}
		p.at("dev/buckets/media/public-access")["restrict_public_buckets"] = false
	}},
	{"open", func(p part) { p.at("dev/network/endpoint-ingress")["cidr_ipv4"] = "0.0.0.0/0" }},
	{"iam", func(p part) {
		p.at("dev/services/payments/task-role/document")["statement"] = append(
			p.at("dev/services/payments/task-role/document")["statement"].([]any),
			map[string]any{"actions": []string{"s3:*"}, "effect": "Allow", "resources": []string{"*"}})
		p.at("dev/services/payments/task-role/trust")["statement"] = []any{map[string]any{
			"actions": []string{"sts:AssumeRole"}, "effect": "Allow",
			"principals": []any{map[string]any{"type": "AWS", "identifiers": []string{"*"}}},
		}}
	}},
	{"key", func(p part) { p.remove("dev/frontend/edge-key/") }},
	{"tags", func(p part) {
		provider := p.doc["provider"].(map[string]any)["aws"].([]any)[0].(map[string]any)
		provider["default_tags"].([]any)[0].(map[string]any)["tags"].(map[string]any)["CostCenter"] = "4711"
	}},
	{"sensitive", func(p part) { p.at("dev/services/payments/token")["value"] = "not-for-the-review-2" }},
}

// The golden files of internal/planreview are plans of the real Terraform, of the JSON that production gets.
func TestPlansForTheReview(t *testing.T) {
	if !*update {
		t.Skip("renews committed files: run make plans")
	}
	begin(t)
	w := emptyWorld(t)
	must(t, bootstrap.Run(t.Context(), bootstrap.Options{Dir: w.dir, Env: w.env}))
	to := filepath.Join(root, "internal", "planreview", "testdata")

	dev := w.open(t, "dev")
	must(t, dev.Init(t.Context()))
	save(t, filepath.Join(to, "create.plan.json"), reduced(t, planned(t, w, dev)))
	save(t, filepath.Join(to, "create.stack.json"), paths(document(t, "dev")))

	before := partOf(t, "dev", constructs...)
	existing := before.write(t)
	s := open(t, existing, "dev", w.env)
	must(t, s.Init(t.Context()))
	must(t, s.Apply(t.Context()))
	for _, p := range plans {
		after := partOf(t, "dev", constructs...)
		p.change(after)
		text, err := json.Marshal(after.doc)
		must(t, err)
		must(t, os.WriteFile(s.Path(stack.File), text, 0o644))
		save(t, filepath.Join(to, p.name+".plan.json"), reduced(t, planned(t, w, s)))
		save(t, filepath.Join(to, p.name+".stack.json"), paths(after.doc))
	}
}

// planned is what `terraform show -json` says about a plan of the stack as it is.
func planned(t *testing.T, w *world, s *stack.Stack) []byte {
	t.Helper()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "terraform", args...)
		cmd.Dir, cmd.Env = s.Dir, w.env
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("terraform %s: %v\n%s", args[0], err, stderr.String())
		}
		return text
	}
	run("plan", "-input=false", "-no-color", "-out", stack.PlanFile)
	defer os.Remove(s.Path(stack.PlanFile))
	return run("show", "-json", stack.PlanFile)
}

// part is some resources of a stack.
type part struct {
	doc map[string]any
	t   *testing.T
}

var reference = regexp.MustCompile(`(?:data\.)?aws_[a-z0-9_]+\.[A-Za-z0-9_-]+`)

// partOf is the part of a stack below the paths and all it refers to, without what only orders the deployment.
func partOf(t *testing.T, name string, under ...string) part {
	t.Helper()
	p := part{document(t, name), t}
	delete(p.doc, "output")
	var queue []string
	p.each(func(address, path string, r map[string]any) {
		delete(r, "depends_on")
		if slices.ContainsFunc(under, func(u string) bool { return strings.HasPrefix(path, u) }) {
			queue = append(queue, address)
		}
	})
	text := map[string]string{}
	p.each(func(address, _ string, r map[string]any) {
		one, err := json.Marshal(r)
		must(t, err)
		text[address] = string(one)
	})
	keep := map[string]bool{}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		if _, ok := text[address]; !ok || keep[address] {
			continue
		}
		keep[address] = true
		queue = append(queue, reference.FindAllString(text[address], -1)...)
	}
	p.drop(func(address, _ string) bool { return !keep[address] })
	p.doc["resource"].(map[string]any)["aws_ssm_parameter"].(map[string]any)["services_payments_token_0B0B0B0B"] = map[string]any{
		"//":   map[string]any{"metadata": map[string]any{"path": "dev/services/payments/token"}},
		"name": "/shop/dev/payments/token", "type": "SecureString", "value": "not-for-the-review-1",
	}
	p.doc["terraform"].(map[string]any)["backend"].(map[string]any)["s3"].(map[string]any)["key"] = "part/terraform.tfstate"
	// Prod's, so that there is something to take away.
	db := p.at("dev/databases/shop/instance")
	db["deletion_protection"], db["backup_retention_period"] = true, 7
	return p
}

func (p part) each(do func(address, path string, r map[string]any)) {
	for _, kind := range []string{"resource", "data"} {
		types, _ := p.doc[kind].(map[string]any)
		for _, typ := range slices.Sorted(maps.Keys(types)) {
			named := types[typ].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(named)) {
				r := named[name].(map[string]any)
				address := typ + "." + name
				if kind == "data" {
					address = "data." + address
				}
				do(address, pathOf(r), r)
			}
		}
	}
}

func pathOf(r map[string]any) string {
	return r["//"].(map[string]any)["metadata"].(map[string]any)["path"].(string)
}

func (p part) drop(which func(address, path string) bool) {
	p.each(func(address, path string, _ map[string]any) {
		if !which(address, path) {
			return
		}
		kind, address := "resource", address
		if rest, ok := strings.CutPrefix(address, "data."); ok {
			kind, address = "data", rest
		}
		typ, name, _ := strings.Cut(address, ".")
		named := p.doc[kind].(map[string]any)[typ].(map[string]any)
		delete(named, name)
		if len(named) == 0 {
			delete(p.doc[kind].(map[string]any), typ)
		}
	})
}

// at is the resource at a construct's path.
func (p part) at(path string) map[string]any {
	p.t.Helper()
	var found map[string]any
	p.each(func(_, at string, r map[string]any) {
		if at == path {
			found = r
		}
	})
	if found == nil {
		p.t.Fatalf("%s is not in the stack", path)
	}
	return found
}

// remove takes away what is below the paths; what refers to it gets the name of something else.
func (p part) remove(under ...string) {
	gone := map[string]bool{}
	p.drop(func(address, path string) bool {
		is := slices.ContainsFunc(under, func(u string) bool { return strings.HasPrefix(path, u) })
		if is {
			gone[address] = true
		}
		return is
	})
	p.each(func(_, _ string, r map[string]any) {
		text, err := json.Marshal(r)
		must(p.t, err)
		for address := range gone {
			of := regexp.MustCompile(`\$\{` + regexp.QuoteMeta(address) + `\.[a-z_]+\}`)
			text = of.ReplaceAll(text, []byte("arn:aws:sqs:eu-west-1:444455556666:gone"))
		}
		clear(r)
		must(p.t, json.Unmarshal(text, &r))
	})
}

// copy adds a service like another one.
func (p part) copy(from, to string) {
	type one struct {
		kind, typ, name string
		r               map[string]any
	}
	var added []one
	p.each(func(address, path string, r map[string]any) {
		if !strings.HasPrefix(path, "dev/services/"+from+"/") || strings.HasSuffix(path, "/token") {
			return
		}
		text, err := json.Marshal(r)
		must(p.t, err)
		var copied map[string]any
		must(p.t, json.Unmarshal(bytes.ReplaceAll(text, []byte(from), []byte(to)), &copied))
		kind := "resource"
		if rest, ok := strings.CutPrefix(address, "data."); ok {
			kind, address = "data", rest
		}
		typ, name, _ := strings.Cut(address, ".")
		added = append(added, one{kind, typ, strings.ReplaceAll(name, from, to), copied})
	})
	for _, a := range added {
		p.doc[a.kind].(map[string]any)[a.typ].(map[string]any)[a.name] = a.r
	}
}

// write makes a cdktf.out folder of it.
func (p part) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	folder := filepath.Join(dir, "stacks", "dev")
	must(t, os.CopyFS(folder, os.DirFS(filepath.Join(out, "stacks", "dev"))))
	text, err := json.Marshal(p.doc)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, stack.File), text, 0o644))
	return dir
}

// paths is what a review needs of the synthesized JSON.
func paths(doc map[string]any) map[string]any {
	kept := map[string]any{}
	part{doc: doc}.each(func(address, path string, _ map[string]any) {
		if strings.HasPrefix(address, "data.") {
			return
		}
		typ, name, _ := strings.Cut(address, ".")
		named, ok := kept[typ].(map[string]any)
		if !ok {
			named = map[string]any{}
			kept[typ] = named
		}
		named[name] = map[string]any{"//": map[string]any{"metadata": map[string]any{"path": path}}}
	})
	return map[string]any{"resource": kept}
}

// random is what AWS or the emulator makes up. Each gets a name by the order it appears in, so that a renewed plan
// differs by what changed.
var random = []struct {
	pattern *regexp.Regexp
	format  string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "00000000-0000-4000-8000-%012x"},
	{regexp.MustCompile(`\b(vpce|vpc|subnet|sgr|sg|rtb|igw|acl|dopt|pl|eni|rtbassoc)-[0-9a-f]{8,17}\b`), "$1-%017x"},
	{regexp.MustCompile(`\bns-[0-9a-z]{8,16}\b`), "ns-%016x"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "%032x"},
	{regexp.MustCompile(`\b(AROA|AIDA)[A-Z0-9]{8,17}\b`), "${1}%017d"},
	{regexp.MustCompile(`\bdb-[A-Z0-9]{10,}\b`), "db-%026d"},
	{regexp.MustCompile(`(:secret:[A-Za-z0-9/_-]+?)-[A-Za-z0-9]{6}\b`), "$1-%06d"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)`), "2026-01-01T00:00:00Z"},
	{regexp.MustCompile(`https?://(127\.0\.0\.1|localhost):\d+`), "https://emulator"},
	{regexp.MustCompile(`127\.0\.0\.1`), "emulator"},
}

// reduced is a plan without what the review does not read, and without what differs from one run to the next.
func reduced(t *testing.T, text []byte) json.RawMessage {
	t.Helper()
	var plan map[string]any
	must(t, json.Unmarshal(text, &plan))
	kept := map[string]any{}
	for _, key := range []string{"format_version", "terraform_version", "resource_changes", "output_changes"} {
		if value, ok := plan[key]; ok {
			kept[key] = value
		}
	}
	for _, one := range plan["resource_changes"].([]any) {
		change := one.(map[string]any)["change"].(map[string]any)
		before, after := change["before"], change["after"]
		change["before"] = redacted(before, after, change["before_sensitive"], "before")
		change["after"] = redacted(after, before, change["after_sensitive"], "after")
		withoutNull(change["before"])
		withoutNull(change["after"])
		for _, marks := range []string{"after_unknown", "before_sensitive", "after_sensitive"} {
			if change[marks] = marked(change[marks]); change[marks] == nil {
				delete(change, marks)
			}
		}
		// Of what is new, the tags that every resource has say nothing.
		if after, ok := change["after"].(map[string]any); ok && change["before"] == nil {
			delete(after, "tags_all")
		}
	}
	root := plan["configuration"].(map[string]any)["root_module"].(map[string]any)
	// Of the configuration, what policies and subnets are made of.
	var resources []any
	for _, one := range root["resources"].([]any) {
		r := one.(map[string]any)
		expressions, _ := r["expressions"].(map[string]any)
		documents := map[string]any{}
		for _, key := range []string{"policy", "assume_role_policy", "subnet_ids"} {
			if e, ok := expressions[key].(map[string]any); ok && e["references"] != nil {
				documents[key] = e
			}
		}
		if len(documents) > 0 {
			resources = append(resources, map[string]any{
				"address": r["address"], "mode": r["mode"], "type": r["type"], "name": r["name"], "expressions": documents,
			})
		}
	}
	kept["configuration"] = map[string]any{"root_module": map[string]any{"resources": resources}}
	return withoutRandom(encoded(t, kept))
}

// withoutRandom names what is random by the order it appears in.
func withoutRandom(text []byte) []byte {
	for _, r := range random {
		names := map[string]string{}
		text = r.pattern.ReplaceAllFunc(text, func(found []byte) []byte {
			name, ok := names[string(found)]
			if !ok {
				format := r.format
				if strings.Contains(format, "%") {
					format = fmt.Sprintf(format, len(names)+1)
				}
				name = string(r.pattern.ReplaceAll(found, []byte(format)))
				names[string(found)] = name
			}
			return []byte(name)
		})
	}
	return text
}

// redacted is a value with words for what is sensitive, which the review must not show. They differ where the values do.
func redacted(value, other, sensitive any, side string) any {
	switch v := value.(type) {
	case nil:
		return nil
	case map[string]any:
		if sensitive == true {
			break
		}
		marks, _ := sensitive.(map[string]any)
		others, _ := other.(map[string]any)
		copied := map[string]any{}
		for key := range v {
			copied[key] = redacted(v[key], others[key], marks[key], side)
		}
		return copied
	case []any:
		if sensitive == true {
			break
		}
		marks, _ := sensitive.([]any)
		others, _ := other.([]any)
		copied := make([]any, len(v))
		for i := range v {
			copied[i] = redacted(v[i], at(others, i), at(marks, i), side)
		}
		return copied
	}
	switch {
	case sensitive != true || value == "":
		return value
	case reflect.DeepEqual(value, other):
		return "SECRET"
	}
	return "SECRET " + side
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// marked is what of the marks on values is set.
func marked(marks any) any {
	switch v := marks.(type) {
	case bool:
		if v {
			return v
		}
		return nil
	case map[string]any:
		for key := range v {
			v[key] = marked(v[key])
		}
		maps.DeleteFunc(v, func(_ string, mark any) bool { return mark == nil })
		if len(v) > 0 {
			return v
		}
		return nil
	case []any:
		some := false
		for i := range v {
			v[i] = marked(v[i])
			some = some || v[i] != nil
		}
		if some {
			return v
		}
		return nil
	}
	return nil
}

func withoutNull(value any) {
	if m, ok := value.(map[string]any); ok {
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	}
}

func save(t *testing.T, path string, content any) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, encoded(t, content), 0o644))
}

func encoded(t *testing.T, content any) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	must(t, encoder.Encode(content))
	return text.Bytes()
}
