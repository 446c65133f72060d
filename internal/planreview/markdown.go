package planreview

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limit is how long the summaries get at most together, in bytes: GitHub takes 65,536 characters in a comment.
const Limit = 65000

// folding is what the tags that fold a group take.
const folding = 150

// Markdown is the summary of plans that are decided on together. The short ones are whole, the long ones share the rest of
// the room.
func Markdown(reviews ...*Review) string {
	texts := make([]string, len(reviews))
	sizes := make([]int, len(reviews))
	for i, r := range reviews {
		texts[i] = r.markdown(Limit)
		sizes[i] = len(texts[i])
	}
	limit := share(sizes, Limit-len(reviews))
	for i, r := range reviews {
		if sizes[i] > limit {
			texts[i] = r.markdown(limit)
		}
	}
	return strings.Join(texts, "\n")
}

// markdown is the summary of one plan. A part gets no more than its portion of the limit, the groups get the rest.
func (r *Review) markdown(limit int) string {
	findingsLimit, costLimit := limit*9/65, limit*6/65
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- planreview:%s -->\n", marker(r.Name))
	b.WriteString(r.headline() + "\n\n")
	b.WriteString(r.counts())
	for _, part := range []struct {
		title    string
		findings []Finding
	}{
		{"⛔ Data may be lost", r.DataLoss},
		{"🌐 The network opens", r.Network},
		{"🔑 Permissions widen", r.IAM},
	} {
		b.WriteString(section(part.title, part.findings, findingsLimit))
	}
	b.WriteString(r.cost(costLimit))
	if len(r.Outputs) > 0 {
		names := make([]string, 0, len(r.Outputs))
		for _, name := range r.Outputs {
			names = append(names, code(clip(name, 80)))
		}
		fmt.Fprintf(&b, "\nOutputs that change: %s\n", brief(names, 10))
	}
	b.WriteString(r.groups(limit - b.Len()))
	return b.String()
}

// marker is a name that cannot end an HTML comment.
func marker(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, clip(name, 60))
}

func (r *Review) headline() string {
	name := code(clip(r.Name, 60))
	if r.Partial {
		name += " (a part of it only: the plan leaves something out)"
	}
	var risks []string
	if n := len(r.DataLoss); n > 0 {
		risks = append(risks, fmt.Sprintf("data may be lost (%d)", n))
	}
	if n := loud(r.Network); n > 0 {
		risks = append(risks, fmt.Sprintf("the network opens (%d)", n))
	}
	if n := loud(r.IAM); n > 0 {
		risks = append(risks, fmt.Sprintf("permissions widen (%d)", n))
	}
	switch {
	case r.empty():
		return "### ✅ " + name + ": no changes"
	case len(r.DataLoss) > 0:
		return fmt.Sprintf("### ⛔ %s: %s; needs the label `%s`", name, strings.Join(risks, ", "), ApproveDataLoss)
	case len(risks) > 0:
		return fmt.Sprintf("### ⚠️ %s: %s", name, strings.Join(risks, ", "))
	case len(r.Changes) == r.TagsOnly():
		return "### ✅ " + name + ": nothing but tags and outputs change"
	}
	return "### ✅ " + name + ": no data at risk, and nothing that exists is opened or may do more"
}

func loud(findings []Finding) int {
	n := 0
	for _, f := range findings {
		n += boolToInt(!f.Minor)
	}
	return n
}

var titles = map[Action]string{
	Create: "created", Update: "changed", Replace: "replaced", Destroy: "destroyed", Forget: "forgotten", Import: "imported",
	Move: "moved",
}

func (r *Review) counts() string {
	if len(r.Changes) == 0 {
		return ""
	}
	var head, row []string
	for _, a := range []Action{Create, Update, Replace, Destroy, Forget, Import, Move} {
		n := r.Count(a)
		if n == 0 && (a == Forget || a == Import || a == Move) {
			continue
		}
		cell := fmt.Sprint(n)
		if tags := r.TagsOnly(); a == Update && tags > 0 {
			cell += fmt.Sprintf(" (%d tags only)", tags)
		}
		head, row = append(head, titles[a]), append(row, cell)
	}
	head, row = append(head, "a month"), append(row, signed(r.Cost.Difference()))
	return fmt.Sprintf("| %s |\n|%s\n| %s |\n",
		strings.Join(head, " | "), strings.Repeat("---|", len(head)), strings.Join(row, " | "))
}

func signed(x float64) string {
	switch {
	case x > 0:
		return fmt.Sprintf("+%.2f %s", x, currency)
	case x < 0:
		return fmt.Sprintf("−%.2f %s", math.Abs(x), currency)
	}
	return "±0 " + currency
}

// section lists findings, the minor ones folded.
func section(title string, findings []Finding, limit int) string {
	if len(findings) == 0 {
		return ""
	}
	n := loud(findings)
	var b strings.Builder
	fmt.Fprintf(&b, "\n#### %s\n\n", title)
	b.WriteString(findingList(findings[:n], limit*2/3))
	if minor := findings[n:]; len(minor) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%d of what is new or goes</summary>\n\n%s\n</details>\n",
			len(minor), findingList(minor, limit/3))
	}
	return b.String()
}

func findingList(findings []Finding, limit int) string {
	var b strings.Builder
	for i, f := range findings {
		line := fmt.Sprintf("- %s: %s\n", code(clip(f.Path, 120)), sentence(f.Text))
		if b.Len()+len(line) > limit {
			fmt.Fprintf(&b, "- and %d more\n", len(findings)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// sentence shows a finding's text. It holds names, so all of it is untrusted.
func sentence(s string) string { return code(clip(s, 2*most)) }

func (r *Review) cost(limit int) string {
	c := r.Cost
	if len(c.Items) == 0 && len(c.Unpriced) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary>Cost: %.2f → %.2f %s a month (%s)</summary>\n\n", c.Before, c.After, currency,
		signed(c.Difference()))
	if len(c.Items) > 0 {
		b.WriteString("| | what | before | after | difference |\n|---|---|---:|---:|---:|\n")
	}
	items := c.together()
	slices.SortStableFunc(items, func(a, b Item) int {
		x, y := math.Abs(a.After-a.Before), math.Abs(b.After-b.Before)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for n, i := range items {
		row := fmt.Sprintf("| %s | %s | %.2f | %.2f | %s |\n", code(clip(i.Path, 100)), code(clip(i.What, 100)), i.Before, i.After,
			signed(cents(i.After-i.Before)))
		if b.Len()+len(row) > limit*2/3 {
			fmt.Fprintf(&b, "\nand %d more\n", len(items)-n)
			break
		}
		b.WriteString(row)
	}
	if len(c.Unpriced) > 0 {
		fmt.Fprintf(&b, "\nNot priced, and in no sum:\n\n")
		for n, one := range c.Unpriced {
			line := "- " + code(clip(one, 160)) + "\n"
			if b.Len()+len(line) > limit*9/10 {
				fmt.Fprintf(&b, "- and %d more\n", len(c.Unpriced)-n)
				break
			}
			b.WriteString(line)
		}
	}
	fmt.Fprintf(&b,
		"\nList prices of %s, entered %s, of what always runs, by day and night. Not in it: traffic, requests, logs, "+
			"storage that grows, backups, tasks above the least, jobs.\n</details>\n", pricesOf, pricesAt)
	return b.String()
}

// together adds up the items of a group that are the same thing.
func (c Cost) together() []Item {
	var all []Item
	count := map[string]int{}
	for _, i := range c.Items {
		key := i.Group + "\x00" + i.What
		at := slices.IndexFunc(all, func(o Item) bool { return o.Group == i.Group && o.What == i.What })
		if count[key]++; at < 0 {
			all = append(all, i)
			continue
		}
		all[at].Path = i.Group
		all[at].Before, all[at].After = cents(all[at].Before+i.Before), cents(all[at].After+i.After)
	}
	for n, i := range all {
		if times := count[i.Group+"\x00"+i.What]; times > 1 {
			all[n].What = fmt.Sprintf("%d x %s", times, i.What)
		}
	}
	return all
}

// group is a part of the platform with what changes in it.
type group struct {
	name    string
	changes []Change
	entries []string
}

func (r *Review) groups(room int) string {
	var all []*group
	for _, c := range r.Changes {
		if len(all) == 0 || all[len(all)-1].name != c.Group {
			all = append(all, &group{name: c.Group})
		}
		g := all[len(all)-1]
		g.changes = append(g.changes, c)
	}
	room -= folding
	sizes := make([]int, len(all))
	for i, g := range all {
		g.fill()
		sizes[i] = g.size()
	}
	limit := share(sizes, room)
	var b strings.Builder
	for i, g := range all {
		part := g.markdown(limit)
		if b.Len()+len(part) > room {
			fmt.Fprintf(&b, "\nand %d more groups with changes\n", len(all)-i)
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

// fill writes the entries: what is destroyed first, what only gets tags last and together.
func (g *group) fill() {
	var tags []string
	for _, action := range actions {
		for _, c := range g.changes {
			switch {
			case c.Action != action:
			case c.TagsOnly:
				tags = append(tags, code(clip(c.Construct, 80)))
			default:
				g.entries = append(g.entries, c.entry())
			}
		}
	}
	if len(tags) > 0 {
		g.entries = append(g.entries, fmt.Sprintf("- tags only, or the same policy again: %s\n", brief(tags, 12)))
	}
}

func (g *group) summary() string {
	count := map[Action]int{}
	for _, c := range g.changes {
		count[c.Action]++
	}
	var words []string
	for _, a := range actions {
		if count[a] > 0 {
			words = append(words, fmt.Sprintf("%d %s", count[a], titles[a]))
		}
	}
	return fmt.Sprintf("\n<details><summary>%s: %s</summary>\n\n", code(clip(g.name, 80)), strings.Join(words, ", "))
}

func (g *group) size() int {
	n := len(g.summary()) + folding
	for _, e := range g.entries {
		n += len(e)
	}
	return n
}

func (g *group) markdown(limit int) string {
	var b strings.Builder
	b.WriteString(g.summary())
	for i, e := range g.entries {
		if b.Len()+len(e)+folding > limit {
			fmt.Fprintf(&b, "- %d more, left out for want of room\n", len(g.entries)-i)
			break
		}
		b.WriteString(e)
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// share is how much each part may take so that all fit: the small ones take what they need, the large ones the same.
func share(sizes []int, room int) int {
	sizes = slices.Sorted(slices.Values(sizes))
	for i, size := range sizes {
		if equal := room / (len(sizes) - i); size > equal {
			return equal
		}
		room -= size
	}
	return math.MaxInt
}

// telling are the attributes of something new that are worth a line, in the order in which they are shown.
var telling = []string{
	"engine", "engine_version", "instance_class", "instance_type", "allocated_storage", "multi_az",
	"backup_retention_period", "deletion_protection", "storage_encrypted", "publicly_accessible", "cpu", "memory",
	"desired_count", "launch_type", "min_capacity", "max_capacity", "min_size", "max_size", "cidr_block", "ip_protocol",
	"from_port", "to_port", "cidr_ipv4", "cidr_ipv6", "internal", "load_balancer_type", "port", "protocol",
	"retention_in_days", "message_retention_seconds", "visibility_timeout_seconds", "fifo_queue", "force_destroy",
	"deletion_window_in_days", "recovery_window_in_days", "enable_key_rotation", "schedule_expression", "threshold",
	"metric_name", "runtime", "memory_size", "timeout", "service_name", "image_tag_mutability", "domain_name", "type",
}

func (c Change) entry() string {
	var b strings.Builder
	fmt.Fprintf(&b, "- **%s** %s (%s)", titles[c.Action], code(clip(c.Construct, 120)), code(clip(kind(c.Type), 80)))
	switch c.Action {
	case Create:
		b.WriteString(c.told())
	case Replace:
		if len(c.ReplacedFor) > 0 {
			b.WriteString(", for " + code(strings.Join(c.ReplacedFor, ", ")) + " cannot be changed in place")
		}
	}
	b.WriteString("\n")
	const lines = 25
	var computed []string
	shown := 0
	for _, a := range c.Attributes {
		switch {
		case a.tag(), a.again:
			continue
		case a.computed() && !slices.Contains(c.ReplacedFor, a.Path):
			computed = append(computed, a.Path)
			continue
		case shown < lines:
			b.WriteString("  - " + a.line() + "\n")
		}
		shown++
	}
	if shown > lines {
		fmt.Fprintf(&b, "  - and %d more attributes\n", shown-lines)
	}
	if len(computed) > 0 {
		fmt.Fprintf(&b, "  - known after apply: %s\n", code(brief(computed, 12)))
	}
	return b.String()
}

func (c Change) told() string {
	var words []string
	for _, key := range telling {
		if v := c.after[key]; !empty(v) && v != false && !isMap(v) && !isList(v) {
			if _, later := v.(hole); !later {
				words = append(words, key+" "+clip(show(v), 60))
			}
		}
		if len(words) == 6 {
			break
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + code(strings.Join(words, ", "))
}

func (a Attribute) line() string {
	path := code(clip(a.Path, 120))
	before, after := differing(a.Before, a.After)
	switch {
	case a.before == hole(sensitive):
		return path + ": changes (sensitive)"
	case a.before == nil:
		return path + ": + " + code(after)
	case a.after == nil:
		return path + ": − " + code(before)
	}
	return path + ": " + code(before) + " → " + code(after)
}
